using System.Globalization;
using System.Text;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Hypervisors.Xen;

/// <summary>
/// Writes a domain's configuration for xl. Files are known by short names in the guest's work folder, links: xl takes commas in a path for its own.
/// </summary>
internal static class XlConfig
{
    /// <summary>The longest command line of a kernel, in bytes: what x86's kernels take.</summary>
    public const int LongestArguments = 2047;

    /// <summary>The most disks: those for which every kernel has a name of one letter.</summary>
    public const int MaxDisks = 8;

    /// <summary>The most network cards.</summary>
    public const int MaxNics = 8;

    private const int FirstDisk = 202;

    // xl takes every connection of QEMU's whose name begins with "serial" for one of its own, and looks for its number.
    private const string SerialPrefix = "port-";

    /// <summary>The most serial ports. Beside the console they are channels, of which the toolstack makes as many as there are.</summary>
    public const int MaxSerials = 4;

    /// <summary>The port of the agent's channel in a guest with so many serial ports: the console, which every guest has, and the channels come before it.</summary>
    public static string AgentDevice(int serials) => Invariant($"/dev/hvc{Math.Max(1, serials)}");

    /// <summary>The configuration's file, there until the domain is made.</summary>
    public static string File(GuestConfig config) => Path.Combine(config.WorkDirectory, "domain.cfg");

    /// <summary>The link to the kernel.</summary>
    public static string KernelLink(GuestConfig config) => Path.Combine(config.WorkDirectory, "kernel");

    /// <summary>The link to the initrd.</summary>
    public static string InitrdLink(GuestConfig config) => Path.Combine(config.WorkDirectory, "initrd");

    /// <summary>The link to a disk.</summary>
    public static string DiskLink(GuestConfig config, int disk) => Path.Combine(config.WorkDirectory, Invariant($"disk{disk}"));

    /// <summary>The name and the socket of each channel, in the order of their ports: the serial ports beside the console, and the agent's.</summary>
    public static IEnumerable<(string Name, string Socket)> Channels(GuestConfig config) =>
    [
        .. config.Serials.Skip(1).Select((serial, i) => ($"io.virtigo.serial.{serial.Name}", Path.Combine(config.WorkDirectory, Invariant($"serial{i + 1}.sock")))),
        .. config.AgentChannel ? [("org.qemu.guest_agent.0", Path.Combine(config.WorkDirectory, "agent.sock"))] : Array.Empty<(string, string)>(),
    ];

    /// <summary>The links for a guest's files.</summary>
    public static IEnumerable<(string Link, string Target)> Links(GuestConfig config)
    {
        if (config.Kernel is { } kernel)
        {
            yield return (KernelLink(config), kernel.KernelPath);
        }

        if (config.Kernel?.InitrdPath is { } initrd)
        {
            yield return (InitrdLink(config), initrd);
        }

        for (int disk = 0; disk < config.Disks.Count; disk++)
        {
            yield return (DiskLink(config, disk), config.Disks[disk].Path);
        }
    }

    /// <summary>The configuration.</summary>
    /// <param name="config">The guest, already checked.</param>
    /// <param name="kind">How it is virtualised; not <see cref="XenDomainKind.Auto"/>.</param>
    /// <param name="domain">The domain's name.</param>
    public static string Build(GuestConfig config, XenDomainKind kind, string domain)
    {
        var text = new StringBuilder();
        Set("name", Quote(domain));
        Set("type", Quote(kind switch { XenDomainKind.Pv => "pv", XenDomainKind.Pvh => "pvh", _ => "hvm" }));
        Set("memory", Invariant($"{config.MemoryMiB}"));
        Set("maxmem", Invariant($"{config.MemoryMiB}"));
        Set("vcpus", Invariant($"{config.Cpus}"));
        if (config.Kernel is { } boot)
        {
            Set("kernel", Quote(KernelLink(config)));
            if (boot.InitrdPath is not null)
            {
                Set("ramdisk", Quote(InitrdLink(config)));
            }

            Set("cmdline", Quote(boot.CommandLine));
        }

        // Its console still has its last words when it has ended; they are read before the domain is destroyed.
        foreach (string end in (string[])["poweroff", "reboot", "crash", "watchdog", "soft_reset"])
        {
            Set("on_" + end, Quote("preserve"));
        }

        if (kind == XenDomainKind.Hvm)
        {
            SetMachine();
            return text.ToString();
        }

        Set("disk", List(config.Disks.Select((disk, i) => Disk(config, disk, i))));

        // What is run for a card does nothing: we take its frames ourselves, from an interface of dom0's that is on no bridge.
        Set("vif", List(config.Nics.Select(nic => Invariant($"mac={nic.Mac},mtu={nic.Mtu},script=/bin/true"))));
        if (Channels(config).ToArray() is { Length: > 0 } channels)
        {
            Set("channel", List(channels.Select(channel => $"name={channel.Name},connection=socket,path={channel.Socket}")));
        }

        return text.ToString();

        // The machine is the one that QEMU's guests have, with every device in the same place. Xen's own device, in the place of the first disk, would
        // have the guest's kernel unplug disks and cards for Xen's, and its cards be taken over by scripts of the toolstack's.
        void SetMachine()
        {
            Set("bios", Quote("seabios"));
            Set("xen_platform_pci", "0");
            Set("vga", Quote("none"));
            Set("vnc", "0");
            Set("usb", "0");
            Set("device_model_args_hvm", List([.. QemuCommandLine.Devices(config, SerialPrefix), "-device", "virtio-rng-pci"]));
        }

        void Set(string key, string value) => text.Append(key).Append(" = ").Append(value).Append('\n');
    }

    /// <summary>A text as xl reads it. Its numeric escapes cannot be trusted: it refuses every hexadecimal one.</summary>
    internal static string Quote(string value) =>
        '"' + value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + '"';

    /// <summary>The number of a disk as a device of Xen's.</summary>
    public static int DiskDevice(int disk) => (FirstDisk << 8) | (disk << 4);

    // Through QEMU even for raw disks: xl would else make a loop device by scripts, and dom0's kernel would look into it for partitions. QEMU refuses
    // to begin with a disk that cannot be written, unless it is a disc.
    private static string Disk(GuestConfig config, GuestDisk disk, int index) => Invariant(
        $"format={(disk.Format == DiskFormat.Raw ? "raw" : "qcow2")},backendtype=qdisk,vdev=xvd{(char)('a' + index)},{(disk.ReadOnly ? "devtype=cdrom,access=ro" : "access=rw")},target={DiskLink(config, index)}");

    private static string List(IEnumerable<string> values) => $"[ {string.Join(", ", values.Select(Quote))} ]";

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
