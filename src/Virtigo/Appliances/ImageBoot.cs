using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Uml;
using Virtigo.Hypervisors.Xen;
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
    /// <param name="folder">Where disks in another format are made.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when this system cannot start there, with the reason.</exception>
    internal static async Task<GuestConfig> UnderAsync(IHypervisor hypervisor, GuestConfig machine, string folder, CancellationToken cancellationToken)
    {
        HypervisorCapabilities can = hypervisor.Capabilities;
        if (!can.Qcow2)
        {
            machine = machine with { Disks = await RawAsync(machine.Disks, folder, cancellationToken) };
        }

        return can.DiskBoot ? hypervisor is XenHypervisor ? machine with { Accelerator = Accelerator.Auto } : machine
            : hypervisor is UmlHypervisor ? await UnderUmlAsync(machine, hypervisor.OwnKernel, cancellationToken)
            : throw new VirtigoException(FailureKind.Usage, $"{machine.Name} cannot be booted by {hypervisor.Name}: {can.Reasons["disk boot"]}.",
                "Boot it by qemu, which can.");
    }

    private static async Task<GuestConfig> UnderUmlAsync(GuestConfig machine, string? kernel, CancellationToken cancellationToken)
    {
        int partition = await Task.Run(() => RootPartition(machine.Disks[0].Path), cancellationToken) ?? throw new VirtigoException(FailureKind.Usage,
            $"{machine.Name} cannot be booted by {UmlHypervisor.KindName}: its root file system is not ext4 on a partition of its first disk, and the host's kernel opens no volumes.",
            "Boot it by qemu, which can.");
        return machine with
        {
            Firmware = FirmwareKind.Bios,
            Cpus = 1,
            Accelerator = Accelerator.Auto,
            Kernel = UmlBoot.Of(kernel!, UmlBoot.Device(partition), machine.Serials.Count),
            Disks = [.. machine.Disks.Select(disk => disk with { Serial = null })],
        };
    }

    private static int? RootPartition(string path)
    {
        using ImageFiles files = ImageFiles.Open(path);
        return files.RootPartition;
    }

    private static async Task<IReadOnlyList<GuestDisk>> RawAsync(IReadOnlyList<GuestDisk> disks, string folder, CancellationToken cancellationToken)
    {
        var raw = new List<GuestDisk>();
        foreach (GuestDisk disk in disks)
        {
            string path = Path.Combine(folder, $"raw-{raw.Count}.img");
            await QemuImage.RunAsync(["convert", "-O", "raw", disk.Path, path], $"The disk {disk.Path} could not be copied.", null, cancellationToken);
            raw.Add(disk with { Path = path, Format = Hypervisors.DiskFormat.Raw });
        }

        return raw;
    }
}
