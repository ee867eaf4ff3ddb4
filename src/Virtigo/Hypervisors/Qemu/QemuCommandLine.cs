using System.Globalization;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>Writes QEMU's command line: nothing that was not asked for, and no way for QEMU to gain more than it was given.</summary>
internal static class QemuCommandLine
{
    /// <summary>The program for guests of this kind of processor.</summary>
    public const string Program = "qemu-system-x86_64";

    /// <summary>The most serial ports that a PC has.</summary>
    public const int MaxSerials = 4;

    /// <summary>Where QEMU connects for its machine protocol.</summary>
    public static string QmpSocket(GuestConfig config) => Path.Combine(config.WorkDirectory, "qmp.sock");

    /// <summary>Where QEMU connects a serial port.</summary>
    public static string SerialSocket(GuestConfig config, GuestSerial serial) => Path.Combine(config.WorkDirectory, $"serial-{serial.Name}.sock");

    /// <summary>Where QEMU connects the guest agent's channel.</summary>
    public static string AgentSocket(GuestConfig config) => Path.Combine(config.WorkDirectory, "agent.sock");

    /// <summary>The arguments for a guest. It starts paused.</summary>
    /// <param name="config">The guest, already checked.</param>
    /// <param name="accelerator">KVM or TCG.</param>
    public static IReadOnlyList<string> Build(GuestConfig config, Accelerator accelerator) =>
    [
        "-name", Invariant($"guest={config.Name},debug-threads=on"),
        "-nodefaults", "-no-user-config", "-display", "none",
        "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-S",
        .. config.RestartOnReset ? Array.Empty<string>() : ["-no-reboot"],
        .. Machine(config, accelerator),
        .. Kernel(config.Kernel),
        .. config.Disks.SelectMany(Disk),
        .. Network(config),
        .. config.Serials.SelectMany(serial => Serial(config, serial)),
        .. config.AgentChannel ? Agent(config) : [],
        "-chardev", Connect("qmp", QmpSocket(config)), "-mon", "chardev=qmp,mode=control",
        "-device", "virtio-rng-pci",
        "-device", "pvpanic-pci",
        .. config.Display ? ["-device", "VGA"] : Array.Empty<string>(),
    ];

    private static string[] Machine(GuestConfig config, Accelerator accelerator) =>
    [
        "-machine", "pc,vmport=off",
        "-accel", accelerator == Accelerator.Kvm ? "kvm" : Invariant($"tcg,tb-size={config.TranslationCacheMiB}"),
        "-cpu", config.CpuModel ?? (accelerator == Accelerator.Kvm ? "host" : "max"),
        "-smp", Invariant($"{config.Cpus}"),
        "-m", Invariant($"{config.MemoryMiB}M"),
        "-rtc", "base=utc",
    ];

    private static string[] Kernel(KernelBoot? kernel) => kernel switch
    {
        null => [],
        { InitrdPath: { } initrd } => ["-kernel", kernel.KernelPath, "-initrd", initrd, "-append", kernel.CommandLine],
        _ => ["-kernel", kernel.KernelPath, "-append", kernel.CommandLine],
    };

    private static string[] Disk(GuestDisk disk, int index)
    {
        string format = disk.Format == DiskFormat.Raw ? "raw" : "qcow2";
        string cache = disk.Unsafe ? "unsafe" : "writeback";
        string readOnly = disk.ReadOnly ? ",readonly=on" : ",discard=unmap,detect-zeroes=unmap";
        string serial = disk.Serial is null ? "" : ",serial=" + disk.Serial;
        return
        [
            "-drive", Invariant($"if=none,id=disk{index},file={Escape(disk.Path)},format={format},cache={cache}{readOnly}"),
            "-device", Invariant($"virtio-blk-pci,drive=disk{index},bootindex={index + 1}{serial}"),
        ];
    }

    private static string[] Network(GuestConfig config) => config.NetworkSocket is null
        ? []
        :
        [
            "-netdev", $"stream,id=net0,server=off,addr.type=unix,addr.path={Escape(config.NetworkSocket)}",
            "-device", Invariant($"virtio-net-pci,netdev=net0,mac={config.Mac},host_mtu={config.Mtu},romfile="),
        ];

    private static string[] Serial(GuestConfig config, GuestSerial serial) =>
        ["-chardev", Connect("serial-" + serial.Name, SerialSocket(config, serial)), "-serial", "chardev:serial-" + serial.Name];

    private static string[] Agent(GuestConfig config) =>
    [
        "-chardev", Connect("agent", AgentSocket(config)),
        "-device", "virtio-serial-pci",
        "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
    ];

    private static string Connect(string id, string path) => $"socket,id={id},server=off,path={Escape(path)}";

    private static string Escape(string value) => value.Replace(",", ",,", StringComparison.Ordinal);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
