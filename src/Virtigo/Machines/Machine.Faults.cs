using System.Globalization;
using Virtigo.Host;
using Virtigo.Hypervisors;

namespace Virtigo.Machines;

public sealed partial class Machine
{
    private int _diskFaults;

    /// <summary>
    /// Makes a disk faulty, or whole again. It lasts until the next power-on. Under <see cref="DiskFaultKind.LostWrites"/> what the guest has
    /// written and not flushed is lost at the next <see cref="PowerCutAsync"/>; a shutdown, a reboot, a pause, a snapshot and another fault lose
    /// nothing. Copies of a running environment begin with whole disks.
    /// </summary>
    /// <param name="disk">The disk, from 0.</param>
    /// <param name="fault">What is wrong with it from now on; replaces an earlier fault.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such disk, or the speed of a slow one is below 1024 bytes a second.</exception>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Guest"/> when the machine is off, <see cref="FailureKind.Host"/> when the host lacks <c>qemu-nbd</c> or room.
    /// </exception>
    public Task SetDiskFaultAsync(int disk, DiskFault fault, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(fault);
        return Running().Guest.SetDiskFaultAsync(disk, fault.Seed is null ? fault with { Seed = NextSeed(disk) } : fault, cancellationToken);
    }

    /// <summary>The number of a disk.</summary>
    /// <param name="disk">Its name, or its number in decimal digits.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: the machine has no such disk.</exception>
    internal int DiskNumber(string disk)
    {
        const string first = Images.ImageManifest.FirstDiskName;
        string[] names = [first, .. _config.Guest.Disks.Skip(1).Select(one => one.Serial ?? "")];
        int number = int.TryParse(disk, NumberStyles.None, CultureInfo.InvariantCulture, out int written) ? written : Array.IndexOf(names, disk);
        return number >= 0 && number < names.Length ? number
            : throw new VirtigoException(FailureKind.Usage, $"The machine {Name} has no disk {disk}; it has: {string.Join(", ", names)}.", "Further disks are named in the appliance's spec: disk.disks");
    }

    /// <summary>A seed of its own for each fault, the same in each run with the same faults.</summary>
    private ulong NextSeed(int disk) => SeededRandom.For(_config.Seed, "disk", Name, disk.ToString(CultureInfo.InvariantCulture),
        Interlocked.Increment(ref _diskFaults).ToString(CultureInfo.InvariantCulture)).Next();
}
