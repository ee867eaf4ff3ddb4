using System.Globalization;
using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Machines;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>An environment with everything decided: which image each machine is a copy of, and its place on every network.</summary>
internal sealed record EnvironmentPlan
{
    /// <summary>Counts up when snapshots made by an older Virtigo can no longer be used.</summary>
    private const int Format = 2;

    /// <summary>What was written.</summary>
    public required EnvironmentSpec Spec { get; init; }

    /// <summary>The machines, in the order of the file.</summary>
    public required IReadOnlyList<MachinePlan> Machines { get; init; }

    /// <summary>The networks, in the order of the file.</summary>
    public required IReadOnlyList<NetworkPlan> Networks { get; init; }

    /// <summary>Where machines find the hosts outside that they may reach.</summary>
    public IReadOnlyList<OutwardPlace> Places { get; init; } = [];

    /// <summary>What the machines run on: the hypervisor's version and accelerator, and the processor if it shows through.</summary>
    public required string Platform { get; init; }

    /// <summary>The memory that one copy of it may come to need of the host's, in MiB.</summary>
    public long MemoryMiB => Machines.Sum(machine => (long)machine.MemoryMiB + HostBudget.OverheadMiB);

    /// <summary>
    /// SHA-256, in lower-case hexadecimal, over everything that shows in a snapshot: images, sizes, networks, the <c>ready</c> steps, the
    /// hypervisor, and what this Virtigo puts into machines.
    /// </summary>
    public string Key => PartsHash.Of(Parts());

    private IEnumerable<string> Parts()
    {
        yield return Format.ToString(CultureInfo.InvariantCulture);
        yield return Platform;
        yield return MachineSetup.Version;
        yield return GuestChannelSetup.Version;
        yield return Spec.ReadyText;
        yield return Spec.Egress.Archives ? "egress" : "";
        foreach (OutwardPlace place in Places)
        {
            // Steps that make the environment ready may have fetched anything from there; programs may remember the address.
            yield return $"egress {place.Address} {place.Pattern} {string.Join(',', place.Ports.Order())}";
        }

        foreach (NetworkPlan network in Networks)
        {
            yield return FormattableString.Invariant($"{network.Name} {network.Subnet} {network.Mtu}");
        }

        foreach (MachinePlan machine in Machines)
        {
            yield return FormattableString.Invariant($"{machine.Name} {machine.Image.Key} {machine.MemoryMiB} {machine.Cpus}")
                + (machine.Control == MachineControl.SerialConsole ? " " + EnvironmentSpec.SerialControl : "")
                + (machine.LargerDisk is { } bytes ? FormattableString.Invariant($" disk {bytes}") : "");
            foreach (NicPlan nic in machine.Nics)
            {
                yield return FormattableString.Invariant($"{nic.Network} {nic.Mac} {nic.Address} {nic.Ipv6}{(nic.BringsAddress ? " own" : nic.AsksDhcp ? "" : " alone")}");
            }
        }
    }
}

/// <summary>A machine with everything decided.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Appliance">What it is a copy of.</param>
/// <param name="Image">The image of that.</param>
/// <param name="MemoryMiB">Its memory.</param>
/// <param name="Cpus">The number of its processors.</param>
/// <param name="Nics">Its network cards.</param>
internal sealed record MachinePlan(string Name, AppliancePlan Appliance, StoredImage Image, int MemoryMiB, int Cpus, IReadOnlyList<NicPlan> Nics)
{
    /// <summary>How its system starts under the environment's hypervisor.</summary>
    public BootWay Boot { get; init; } = BootWay.OfItsOwn;

    /// <summary>How commands get into it.</summary>
    public MachineControl Control { get; init; }

    /// <summary>The size of its disk in bytes, when it is not the image's.</summary>
    public long? LargerDisk { get; init; }

    /// <summary>Its disks beside that one.</summary>
    public IReadOnlyList<ImageFurtherDisk> FurtherDisks => Image.Manifest.FurtherDisks;

    /// <summary>The sizes of all its disks in bytes, in their order.</summary>
    public IReadOnlyList<long> AllDiskBytes => [DiskBytes, .. FurtherDisks.Select(disk => disk.Disk.VirtualBytes)];

    /// <summary>The size of its disk in bytes.</summary>
    public long DiskBytes => LargerDisk ?? Image.Manifest.Disk.VirtualBytes;
}

/// <summary>A network card with everything decided.</summary>
/// <param name="Network">The network.</param>
/// <param name="Mac">Its Ethernet address.</param>
/// <param name="Address">Its IPv4 address.</param>
/// <param name="Ipv6">Its IPv6 address.</param>
internal sealed record NicPlan(string Network, MacAddress Mac, Ipv4Address Address, System.Net.IPAddress Ipv6)
{
    /// <summary>Whether the installed system asks for an address on it.</summary>
    public bool AsksDhcp { get; init; } = true;

    /// <summary>Whether the installed system gives it its address itself.</summary>
    public bool BringsAddress { get; init; }
}

/// <summary>A network with everything decided.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Subnet">Its IPv4 addresses; the first host is the network's own services.</param>
/// <param name="Ipv6Prefix">Its IPv6 addresses, 64 bits of prefix.</param>
/// <param name="Mtu">The largest packet, in bytes.</param>
internal sealed record NetworkPlan(string Name, Ipv4Subnet Subnet, string Ipv6Prefix, int Mtu);
