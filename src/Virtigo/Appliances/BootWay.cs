using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Hypervisors.Uml;
using Virtigo.Images;

namespace Virtigo.Appliances;

/// <summary>The way an installed system starts under a hypervisor: by the boot loader on its disk, or else by a kernel of the host's.</summary>
internal sealed class BootWay
{
    private readonly Func<GuestConfig, GuestConfig> _start;

    private BootWay(Func<GuestConfig, GuestConfig> start) => _start = start;

    /// <summary>By the boot loader on its disk.</summary>
    public static BootWay OfItsOwn { get; } = new(machine => machine);

    /// <summary>Finds the way.</summary>
    /// <param name="hypervisor">Runs the system.</param>
    /// <param name="name">The system, to begin a sentence.</param>
    /// <param name="disk">The disk that it is installed on: raw, or qcow2 that is self-contained. It does not change meanwhile.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when there is none, with the reason.</exception>
    public static async Task<BootWay> OfAsync(IHypervisor hypervisor, string name, string disk, CancellationToken cancellationToken)
    {
        HypervisorCapabilities can = hypervisor.Capabilities;
        if (can.DiskBoot)
        {
            // Accelerators are QEMU's.
            return hypervisor.Engine == QemuHypervisor.KindName ? OfItsOwn : new BootWay(machine => machine with { Accelerator = Accelerator.Auto });
        }

        if (hypervisor is not UmlHypervisor || hypervisor.OwnKernel is not { } kernel)
        {
            throw Refusal(hypervisor, name, can.Reasons["disk boot"]);
        }

        int partition = await Task.Run(() => RootPartition(disk), cancellationToken) ?? throw Refusal(hypervisor, name,
            "its root file system is not ext4 on a partition of its first disk, and the host's kernel opens no volumes");
        return new BootWay(machine => machine with
        {
            Firmware = FirmwareKind.Bios,
            Cpus = 1,
            Accelerator = Accelerator.Auto,
            Kernel = UmlBoot.Of(kernel, UmlBoot.Device(partition), machine.Serials.Count),
            Disks = [.. machine.Disks.Select(one => one with { Serial = null })],
        });
    }

    /// <summary>A machine that boots from its disks, as the hypervisor starts it.</summary>
    public GuestConfig Start(GuestConfig machine) => _start(machine);

    /// <summary>The refusal of a system that the hypervisor cannot start.</summary>
    /// <param name="hypervisor">The hypervisor.</param>
    /// <param name="name">The system, to begin a sentence.</param>
    /// <param name="reason">Why, in a clause.</param>
    public static VirtigoException Refusal(IHypervisor hypervisor, string name, string reason) =>
        new(FailureKind.Usage, $"{name} cannot be booted by {hypervisor.Name}: {reason}.", "Boot it by qemu, which can.");

    private static int? RootPartition(string path)
    {
        using ImageFiles files = ImageFiles.Open(path);
        return files.RootPartition;
    }
}
