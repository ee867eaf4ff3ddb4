using Virtigo.Hypervisors;
using Virtigo.Images;

namespace Virtigo.Appliances;

/// <summary>How a machine with an installed disk starts under each hypervisor: by the disk's own boot loader, or else by a kernel of the host's.</summary>
public static class ImageBoot
{
    /// <summary>What every hypervisor must be able to do to start an installed system: names of <see cref="HypervisorFeature"/>.</summary>
    public static IReadOnlyList<string> Needs { get; } = ["agent"];

    /// <summary>Makes of a machine that boots from its qcow2 disks one that the hypervisor can start.</summary>
    /// <param name="hypervisor">Runs it.</param>
    /// <param name="machine">The machine. Its disks are copies that may be thrown away.</param>
    /// <param name="system">The disk that the first of them is a copy of; it does not change meanwhile.</param>
    /// <param name="folder">Where disks in another format are made, and what it starts by.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when this system cannot start there, with the reason.</exception>
    internal static async Task<GuestConfig> UnderAsync(
        IHypervisor hypervisor, GuestConfig machine, string system, string folder, CancellationToken cancellationToken)
    {
        BootWay way = await BootWay.OfAsync(hypervisor, machine.Name, system, cancellationToken);
        await way.PrepareAsync(machine.Name, folder, cancellationToken);
        if (!hypervisor.Capabilities.Qcow2)
        {
            machine = machine with { Disks = await RawAsync(machine.Disks, folder, cancellationToken) };
        }

        return way.Start(machine, folder);
    }

    private static async Task<IReadOnlyList<GuestDisk>> RawAsync(IReadOnlyList<GuestDisk> disks, string folder, CancellationToken cancellationToken)
    {
        var raw = new List<GuestDisk>();
        foreach (GuestDisk disk in disks)
        {
            string path = Path.Combine(folder, $"raw-{raw.Count}.img");
            await QemuImage.CopyRawAsync(disk.Path, path, cancellationToken);
            raw.Add(disk with { Path = path, Format = Hypervisors.DiskFormat.Raw });
        }

        return raw;
    }
}
