using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>Writes QEMU's command line: nothing that was not asked for, and no way for QEMU to gain more than it was given.</summary>
internal static class QemuCommandLine
{
    /// <summary>The program for guests of this kind of processor.</summary>
    public const string Program = "qemu-system-x86_64";

    /// <summary>The most serial ports that a PC has.</summary>
    public const int MaxSerials = 4;

    /// <summary>The most disks, and the most network cards.</summary>
    public const int MaxDevices = 8;

    private const string SerialPrefix = "serial-";

    // A guest names its devices by their places on the bus: a machine with more cards still finds its first where the installer found it.
    private const int FirstDisk = 0x2;
    private const int FirstNic = 0x3;
    private const int MoreDisks = 0x10;
    private const int MoreNics = 0x18;

    /// <summary>Where QEMU connects for its machine protocol.</summary>
    public static string QmpSocket(GuestConfig config) => Path.Combine(config.WorkDirectory, "qmp.sock");

    /// <summary>Where QEMU connects a serial port.</summary>
    public static string SerialSocket(GuestConfig config, GuestSerial serial) => Path.Combine(config.WorkDirectory, $"serial-{serial.Name}.sock");

    /// <summary>Where QEMU connects the guest agent's channel.</summary>
    public static string AgentSocket(GuestConfig config) => Path.Combine(config.WorkDirectory, "agent.sock");

    /// <summary>Where QEMU connects the channel for streams.</summary>
    public static string ChannelSocket(GuestConfig config) => Path.Combine(config.WorkDirectory, "channel.sock");

    /// <summary>Where QEMU takes a saved state from, or gives one to.</summary>
    public static string StateSocket(GuestConfig config) => Path.Combine(config.WorkDirectory, "state.sock");

    /// <summary>Where a guest's UEFI variables are.</summary>
    public static string Variables(GuestConfig config) => Path.Combine(config.WorkDirectory, "variables.fd");

    /// <summary>Where QEMU connects for a disk whose cache is ours.</summary>
    public static string CacheSocket(GuestConfig config, int disk) => Path.Combine(config.WorkDirectory, Invariant($"cache{disk}.sock"));

    /// <summary>Where the program that keeps such a disk listens.</summary>
    public static string StorageSocket(GuestConfig config, int disk) => Path.Combine(config.WorkDirectory, Invariant($"store{disk}.sock"));

    /// <summary>The node of a disk in QEMU's graph of block devices.</summary>
    public static string DiskNode(int disk) => Invariant($"node{disk}");

    /// <summary>What stands between a disk's device and its node.</summary>
    public static string DiskBackend(int disk) => Invariant($"disk{disk}");

    /// <summary>The device of a disk.</summary>
    public static string DiskDevice(int disk) => Invariant($"vdisk{disk}");

    /// <summary>QEMU's name of a disk's format.</summary>
    public static string Driver(GuestDisk disk) => disk.Format == DiskFormat.Raw ? "raw" : "qcow2";

    /// <summary>The id of a serial port's connection.</summary>
    public static string SerialId(string name) => SerialPrefix + name;

    /// <summary>The arguments for a guest. It starts paused.</summary>
    /// <param name="config">The guest, already checked.</param>
    /// <param name="accelerator">KVM or TCG.</param>
    /// <param name="firmware">The UEFI firmware, or null for QEMU's BIOS.</param>
    public static IReadOnlyList<string> Build(GuestConfig config, Accelerator accelerator, UefiFirmware? firmware = null) =>
    [
        "-name", Invariant($"guest={config.Name},debug-threads=on"),
        "-nodefaults", "-no-user-config", "-display", "none",
        "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-S",
        .. config.RestartOnReset ? Array.Empty<string>() : ["-no-reboot"],
        .. Machine(config, accelerator),
        .. firmware is null ? [] : Uefi(config, firmware),
        .. Kernel(config.Kernel),
        .. Devices(config),
        "-chardev", Connect("qmp", QmpSocket(config)), "-mon", "chardev=qmp,mode=control",
        "-device", "virtio-rng-pci",
        "-device", "pvpanic-pci",
        .. config.GenerationId ? ["-device", "vmgenid,guid=auto"] : Array.Empty<string>(),
        .. config.Credentials.SelectMany(credential => (string[])["-smbios", "type=11,value=" + Escape($"io.systemd.credential:{credential.Key}={credential.Value}")]),
        .. config.Display ? ["-device", "VGA,vgamem_mb=4"] : Array.Empty<string>(),
        .. config.SavedState is null ? Array.Empty<string>() : ["-incoming", "defer"],
    ];

    /// <summary>Refuses a work folder whose sockets would have names that are too long.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> with the longest that can be.</exception>
    public static void CheckSockets(GuestConfig config)
    {
        UnixListener.CheckLength(QmpSocket(config));
        UnixListener.CheckLength(AgentSocket(config));
        UnixListener.CheckLength(ChannelSocket(config));
        foreach (GuestSerial serial in config.Serials)
        {
            UnixListener.CheckLength(SerialSocket(config, serial));
        }
    }

    /// <summary>The arguments for a guest's disks, cards, serial ports and channels.</summary>
    /// <param name="config">The guest, already checked.</param>
    /// <param name="serialPrefix">What the ids of serial ports' connections begin with.</param>
    public static IReadOnlyList<string> Devices(GuestConfig config, string serialPrefix = SerialPrefix) =>
    [
        .. config.Disks.SelectMany(Disk),
        .. config.Nics.SelectMany(Nic),
        .. config.Serials.SelectMany(serial => Serial(config, serial, serialPrefix + serial.Name)),
        .. Channels(config),
    ];

    /// <summary>Where QEMU connects its devices: the serial ports, then the agent's channel, then the one for streams.</summary>
    /// <param name="config">The guest.</param>
    public static IReadOnlyList<string> DeviceSockets(GuestConfig config) =>
    [
        .. config.Serials.Select(serial => SerialSocket(config, serial)),
        .. config.AgentChannel ? [AgentSocket(config)] : Array.Empty<string>(),
        .. config.StreamChannel ? [ChannelSocket(config)] : Array.Empty<string>(),
    ];

    private static string[] Machine(GuestConfig config, Accelerator accelerator) =>
    [
        "-machine", "pc,vmport=off,memory-backend=memory",
        "-object", Memory(config),
        "-accel", accelerator == Accelerator.Kvm ? "kvm" : Invariant($"tcg,tb-size={config.TranslationCacheMiB}"),
        "-cpu", config.CpuModel ?? (accelerator == Accelerator.Kvm ? "host" : GuestPlatform.EmulatedProcessor),
        "-smp", Invariant($"{config.Cpus}"),
        "-m", Invariant($"{config.MemoryMiB}M"),
        "-rtc", "base=utc",
    ];

    private static string[] Uefi(GuestConfig config, UefiFirmware firmware) =>
    [
        "-drive", Invariant($"if=pflash,unit=0,format=raw,readonly=on,file={Escape(firmware.Code)}"),
        "-drive", Invariant($"if=pflash,unit=1,format=raw,file={Escape(Variables(config))}"),
    ];

    // One name for both kinds: a state saved with the one can be loaded with the other.
    private static string Memory(GuestConfig config) => config.MemoryFile is { } file
        ? Invariant($"memory-backend-file,id=memory,size={config.MemoryMiB}M,share={(file.Shared ? "on" : "off")},mem-path={Escape(file.Path)}")
        : Invariant($"memory-backend-ram,id=memory,size={config.MemoryMiB}M");

    private static string[] Kernel(KernelBoot? kernel) => kernel switch
    {
        null => [],
        { InitrdPath: { } initrd } => ["-kernel", kernel.KernelPath, "-initrd", initrd, "-append", kernel.CommandLine],
        _ => ["-kernel", kernel.KernelPath, "-append", kernel.CommandLine],
    };

    private static string[] Disk(GuestDisk disk, int index)
    {
        string format = Driver(disk);
        string cache = disk.Unsafe ? "unsafe" : "writeback";
        string readOnly = disk.ReadOnly ? ",readonly=on" : ",discard=unmap,detect-zeroes=unmap";
        string serial = disk.Serial is null ? "" : ",serial=" + disk.Serial;
        return
        [
            "-drive", Invariant($"if=none,id=disk{index},node-name={DiskNode(index)},file={Escape(disk.Path)},format={format},cache={cache}{readOnly}"),
            "-device", disk.IsDisc
                ? Invariant($"ide-cd,id={DiskDevice(index)},drive=disk{index},bootindex={index + 1}")
                : Invariant($"virtio-blk-pci,id={DiskDevice(index)},drive=disk{index},addr={Place(index, FirstDisk, MoreDisks)},bootindex={index + 1}{serial}"),
        ];
    }

    private static string[] Nic(GuestNic nic, int index) =>
    [
        "-netdev", Invariant($"stream,id=net{index},server=off,addr.type=unix,addr.path={Escape(nic.Socket)}"),
        "-device", Invariant($"virtio-net-pci,netdev=net{index},mac={nic.Mac},host_mtu={nic.Mtu},addr={Place(index, FirstNic, MoreNics)},romfile="),
    ];

    private static string[] Serial(GuestConfig config, GuestSerial serial, string id) =>
        ["-chardev", Connect(id, SerialSocket(config, serial)), "-serial", "chardev:" + id];

    private static string[] Channels(GuestConfig config) =>
    [
        .. config.AgentChannel || config.StreamChannel ? ["-device", "virtio-serial-pci"] : Array.Empty<string>(),
        .. config.AgentChannel ? Port("agent", AgentSocket(config), "org.qemu.guest_agent.0") : [],
        .. config.StreamChannel ? Port("channel", ChannelSocket(config), "io.virtigo.stream") : [],
    ];

    private static string[] Port(string id, string socket, string name) =>
        ["-chardev", Connect(id, socket), "-device", $"virtserialport,chardev={id},name={name}"];

    private static string Place(int index, int first, int more) => Invariant($"0x{(index == 0 ? first : more + index):x}");

    private static string Connect(string id, string path) => $"socket,id={id},server=off,path={Escape(path)}";

    private static string Escape(string value) => value.Replace(",", ",,", StringComparison.Ordinal);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
