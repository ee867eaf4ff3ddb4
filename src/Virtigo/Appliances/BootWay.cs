using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Hypervisors.Uml;
using Virtigo.Hypervisors.Xen;
using Virtigo.Images;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>
/// The way an installed system starts under a hypervisor: by the boot loader on its disk; where guests have no firmware for that, by its own kernel, read
/// from its disk; and where they need a kernel of their own kind, by that.
/// </summary>
internal sealed class BootWay
{
    private const string NoRoot = "its root file system is not ext4 on a partition of its first disk, and the host's kernel opens no volumes";
    private const string NoKernel = "no kernel is found on its first disk, on ext4, xfs or btrfs on a partition or a logical volume";
    private readonly Func<GuestConfig, GuestConfig> _start;
    private readonly InstalledKernel? _kernel;

    private BootWay(Func<GuestConfig, GuestConfig> start, InstalledKernel? kernel = null) => (_start, _kernel) = (start, kernel);

    /// <summary>By the boot loader on its disk.</summary>
    public static BootWay OfItsOwn { get; } = new(machine => machine);

    /// <summary>Finds the way.</summary>
    /// <param name="hypervisor">Runs the system.</param>
    /// <param name="name">The system, to begin a sentence.</param>
    /// <param name="disk">The disk that it is installed on: raw, or qcow2 that is self-contained. It does not change while the way is used.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when there is none, with the reason.</exception>
    public static async Task<BootWay> OfAsync(IHypervisor hypervisor, string name, string disk, CancellationToken cancellationToken)
    {
        if (hypervisor.Capabilities.DiskBoot)
        {
            // Accelerators are QEMU's.
            return hypervisor.Engine == QemuHypervisor.KindName ? OfItsOwn : new BootWay(machine => machine with { Accelerator = Accelerator.Auto });
        }

        return await Task.Run(
            () =>
            {
                using ImageFiles files = ImageFiles.Open(disk);
                return hypervisor switch
                {
                    UmlHypervisor { OwnKernel: { } kernel } => OfHosts(hypervisor, name, kernel, files),
                    XenHypervisor => OfSystems(hypervisor, name, disk, files),
                    _ => throw Refusal(hypervisor, name, hypervisor.Capabilities.Reasons["disk boot"]),
                };
            },
            cancellationToken);
    }

    /// <summary>Why a system cannot start that is installed on such a disk, in a clause; null when it can, as far as that shows before it is.</summary>
    /// <param name="hypervisor">Runs the system.</param>
    /// <param name="disk">The disk.</param>
    public static string? ObstacleOf(IHypervisor hypervisor, DebianDisk disk) =>
        hypervisor is UmlHypervisor && !hypervisor.Capabilities.DiskBoot && (disk.Lvm || disk.FileSystem != "ext4") ? NoRoot : null;

    /// <summary>Puts what a machine starts by, beside its disks, into a folder.</summary>
    /// <param name="machine">The machine's name.</param>
    /// <param name="folder">The folder.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public Task PrepareAsync(string machine, string folder, CancellationToken cancellationToken) =>
        _kernel?.CopyOutAsync(machine, folder, cancellationToken) ?? Task.CompletedTask;

    /// <summary>A machine that boots from its disks, as the hypervisor starts it.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="folder">The folder of <see cref="PrepareAsync"/>.</param>
    public GuestConfig Start(GuestConfig machine, string folder)
    {
        machine = _start(machine);
        return _kernel is null ? machine : machine with { Kernel = _kernel.Boot(machine, folder) };
    }

    /// <summary>The refusal of a system that the hypervisor cannot start.</summary>
    /// <param name="hypervisor">The hypervisor.</param>
    /// <param name="name">The system, to begin a sentence.</param>
    /// <param name="reason">Why, in a clause.</param>
    private static VirtigoException Refusal(IHypervisor hypervisor, string name, string reason) =>
        new(FailureKind.Usage, $"{name} cannot be booted by {hypervisor.Name}: {reason}.", "Boot it by qemu, which can.");

    private static BootWay OfHosts(IHypervisor hypervisor, string name, string kernel, ImageFiles files)
    {
        int partition = files is { RootPartition: { } found, RootSystem.GrubModule: "ext2" } ? found : throw Refusal(hypervisor, name, NoRoot);
        return new BootWay(machine => Plain(machine) with
        {
            Cpus = 1,
            Kernel = UmlBoot.Of(kernel, UmlBoot.Device(partition), machine.Serials.Count),
        });
    }

    private static BootWay OfSystems(IHypervisor hypervisor, string name, string disk, ImageFiles files)
    {
        if (BootFinder.Find(files) is not { } boot)
        {
            throw Refusal(hypervisor, name, NoKernel);
        }

        // A boot loader that was put on it from outside carries its configuration with it.
        string commandLine = boot.CommandLine ?? (files.RootSystem?.Uuid is { } root
            ? $"root=UUID={root} ro{(files.RootPath.Length > 0 ? " rootflags=subvol=" + files.RootPath : "")}"
            : throw Refusal(hypervisor, name, "no configuration of GRUB's on it says what its kernel is told, and its root file system cannot be read"));
        return new BootWay(Plain, new InstalledKernel(name, disk, boot.Initrd is not null, commandLine));
    }

    private static GuestConfig Plain(GuestConfig machine) => machine with
    {
        Firmware = FirmwareKind.Bios,
        Accelerator = Accelerator.Auto,
        Disks = [.. machine.Disks.Select(one => one with { Serial = null })],
    };

    /// <summary>The kernel on a disk, copied out for each machine that starts by it.</summary>
    private sealed record InstalledKernel(string System, string Disk, bool HasInitrd, string CommandLine)
    {
        public async Task CopyOutAsync(string machine, string folder, CancellationToken cancellationToken) =>
            await ImageStore.ExtractBootAsync(System, Disk, Kernel(machine, folder), Initrd(machine, folder), cancellationToken);

        public KernelBoot Boot(GuestConfig machine, string folder) =>
            XenBoot.Of(Kernel(machine.Name, folder), HasInitrd ? Initrd(machine.Name, folder) : null, CommandLine, machine.Serials.Count);

        private static string Kernel(string machine, string folder) => Path.Combine(folder, $"kernel-{machine}");

        private static string Initrd(string machine, string folder) => Path.Combine(folder, $"initrd-{machine}");
    }
}
