using System.Globalization;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>Which domain of libvirt's a guest is: it has a name that no other has, so that nobody's domain is in its way.</summary>
/// <param name="Id">Its UUID.</param>
/// <param name="Name">Its name there.</param>
internal sealed record LibvirtIdentity(Guid Id, string Name)
{
    /// <summary>A new one for a guest.</summary>
    public static LibvirtIdentity For(string guest)
    {
        var id = Guid.NewGuid();
        return new LibvirtIdentity(id, $"virtigo-{guest}-{id.ToString("N")[..8]}");
    }
}

/// <summary>Who runs a domain's QEMU, where the daemon would take another user.</summary>
/// <param name="User">The user's id.</param>
/// <param name="Group">The group's.</param>
internal sealed record LibvirtOwner(uint User, uint Group);

/// <summary>
/// Writes the definition of a domain: the same machine that <see cref="QemuCommandLine"/> describes, with every device in the same place. What libvirt
/// has no words for, a card on a network of ours, is passed on to QEMU.
/// </summary>
internal static class LibvirtDomain
{
    private const int FirstDisk = 0x2;
    private const int FirstNic = 0x3;
    private const int MoreDisks = 0x10;
    private const int MoreNics = 0x18;
    private const int Ports = 0x4;
    private const int Entropy = 0x5;
    private const int Screen = 0x7;
    private static readonly XNamespace Qemu = "http://libvirt.org/schemas/domain/qemu/1.0";

    /// <summary>Where QEMU connects so that it is known which process it is, and when it has ended.</summary>
    public static string LifeSocket(GuestConfig config) => Path.Combine(config.WorkDirectory, "life.sock");

    /// <summary>The sockets to listen on: that of its life, then the serial ports, the agent's and the one for streams.</summary>
    public static IEnumerable<string> Sockets(GuestConfig config) =>
    [
        LifeSocket(config),
        .. QemuCommandLine.DeviceSockets(config),
    ];

    /// <summary>The definition of a guest's domain.</summary>
    /// <param name="config">The guest, already checked.</param>
    /// <param name="identity">Its domain.</param>
    /// <param name="accelerator">KVM or TCG.</param>
    /// <param name="emulator">QEMU on this host; null on another, where libvirt finds its own and no socket of ours is.</param>
    /// <param name="owner">Who runs it; null for whom the daemon takes.</param>
    public static XElement Build(GuestConfig config, LibvirtIdentity identity, Accelerator accelerator, string? emulator, LibvirtOwner? owner)
    {
        string model = config.CpuModel ?? (accelerator == Accelerator.Kvm ? "host" : GuestPlatform.EmulatedProcessor);
        return new XElement("domain",
            new XAttribute("type", accelerator == Accelerator.Kvm ? "kvm" : "qemu"),
            new XAttribute(XNamespace.Xmlns + "qemu", Qemu.NamespaceName),
            new XElement("name", identity.Name),
            new XElement("uuid", identity.Id.ToString("D")),
            config.GenerationId ? new XElement("genid") : null,
            new XElement("memory", new XAttribute("unit", "MiB"), config.MemoryMiB),
            new XElement("vcpu", config.Cpus),
            config.Credentials.Count > 0 ? Credentials(config) : null,
            Boot(config),
            new XElement("features", new XElement("acpi"), new XElement("apic"), new XElement("vmport", State("off")),
                accelerator == Accelerator.Tcg
                    ? new XElement("tcg", new XElement("tb-cache", new XAttribute("unit", "MiB"), config.TranslationCacheMiB)) : null),
            LibvirtCpu.Element(model),
            new XElement("clock", new XAttribute("offset", "utc")),
            new XElement("on_poweroff", "destroy"),
            new XElement("on_reboot", config.RestartOnReset ? "restart" : "destroy"),
            new XElement("on_crash", "destroy"),
            Devices(config, emulator),
            owner is null ? null : Label(owner),
            emulator is null ? null : new XElement(Qemu + "commandline", Passed(config).Select(each => new XElement(Qemu + "arg", new XAttribute("value", each)))));
    }

    /// <summary>The definition as libvirt reads it: what is white space in a value stays what it is.</summary>
    public static byte[] Write(XElement domain)
    {
        var settings = new XmlWriterSettings
        {
            Encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            OmitXmlDeclaration = true,
            Indent = true,
            NewLineHandling = NewLineHandling.Entitize,
        };
        using var bytes = new MemoryStream();
        using (var writer = XmlWriter.Create(bytes, settings))
        {
            domain.WriteTo(writer);
        }

        return bytes.ToArray();
    }

    /// <summary>Whether a text can be in a definition at all: XML has no place for most control characters.</summary>
    public static bool CanHold(string text)
    {
        for (int at = 0; at < text.Length; at++)
        {
            if (at + 1 < text.Length && XmlConvert.IsXmlSurrogatePair(text[at + 1], text[at]))
            {
                at++;
            }
            else if (!XmlConvert.IsXmlChar(text[at]))
            {
                return false;
            }
        }

        return true;
    }

    private static XElement Boot(GuestConfig config) => new("os",
        config.Firmware == FirmwareKind.Uefi ? new XAttribute("firmware", "efi") : null,
        new XElement("type", new XAttribute("arch", "x86_64"), new XAttribute("machine", "pc"), "hvm"),
        config.Firmware == FirmwareKind.Uefi
            ? new XElement("firmware", new XElement("feature", new XAttribute("enabled", "no"), new XAttribute("name", "secure-boot"))) : null,
        config.Firmware == FirmwareKind.Uefi ? new XElement("nvram", QemuCommandLine.Variables(config)) : null,
        config.Kernel is not { } kernel ? null :
            (XElement?[])
            [
                new XElement("kernel", kernel.KernelPath),
                kernel.InitrdPath is null ? null : new XElement("initrd", kernel.InitrdPath),
                new XElement("cmdline", kernel.CommandLine),
            ],
        config.Credentials.Count > 0 ? new XElement("smbios", new XAttribute("mode", "sysinfo")) : null);

    private static XElement Credentials(GuestConfig config) => new("sysinfo", new XAttribute("type", "smbios"),
        new XElement("oemStrings", config.Credentials.Select(pair => new XElement("entry", $"io.systemd.credential:{pair.Key}={pair.Value}"))));

    private static XElement Devices(GuestConfig config, string? emulator) => new("devices",
        emulator is null ? null : new XElement("emulator", emulator),
        config.Disks.Select(Disk),
        new XElement("controller", new XAttribute("type", "usb"), new XAttribute("model", "none")),
        config.AgentChannel || config.StreamChannel
            ? new XElement("controller", new XAttribute("type", "virtio-serial"), new XAttribute("index", 0), Place(Ports)) : null,
        config.Serials.Select((serial, index) => new XElement("serial", new XAttribute("type", "unix"), Connect(QemuCommandLine.SerialSocket(config, serial)),
            new XElement("target", new XAttribute("port", index)))),
        config.AgentChannel ? Channel(QemuCommandLine.AgentSocket(config), "org.qemu.guest_agent.0", 1) : null,
        config.StreamChannel ? Channel(QemuCommandLine.ChannelSocket(config), "io.virtigo.stream", 2) : null,
        config.Display
            ? new XElement("video", new XElement("model", new XAttribute("type", "vga"), new XAttribute("vram", 4096)), Place(Screen)) : null,
        new XElement("memballoon", new XAttribute("model", "none")),
        new XElement("rng", new XAttribute("model", "virtio"), new XElement("backend", new XAttribute("model", "builtin")), Place(Entropy)),
        new XElement("panic", new XAttribute("model", "isa")));

    private static XElement Disk(GuestDisk disk, int index) => new("disk",
        new XAttribute("type", "file"), new XAttribute("device", disk.IsDisc ? "cdrom" : "disk"),
        new XElement("driver", new XAttribute("name", "qemu"), new XAttribute("type", QemuCommandLine.Driver(disk)),
            new XAttribute("cache", disk.Unsafe ? "unsafe" : "writeback"),
            disk.ReadOnly ? null : (XAttribute[])[new XAttribute("discard", "unmap"), new XAttribute("detect_zeroes", "unmap")]),
        new XElement("source", new XAttribute("file", disk.Path)),
        new XElement("target", new XAttribute("dev", disk.IsDisc ? "hdc" : "vd" + (char)('a' + index)), new XAttribute("bus", disk.IsDisc ? "ide" : "virtio")),
        disk.ReadOnly ? new XElement("readonly") : null,
        disk.Serial is null ? null : new XElement("serial", disk.Serial),
        new XElement("boot", new XAttribute("order", index + 1)),
        disk.IsDisc ? null : Place(index == 0 ? FirstDisk : MoreDisks + index));

    private static XElement Channel(string socket, string name, int port) => new("channel", new XAttribute("type", "unix"), Connect(socket),
        new XElement("target", new XAttribute("type", "virtio"), new XAttribute("name", name)),
        new XElement("address", new XAttribute("type", "virtio-serial"), new XAttribute("controller", 0), new XAttribute("bus", 0), new XAttribute("port", port)));

    private static XElement Label(LibvirtOwner owner) => new("seclabel",
        new XAttribute("type", "static"), new XAttribute("model", "dac"), new XAttribute("relabel", "no"),
        new XElement("label", Invariant($"+{owner.User}:+{owner.Group}")));

    private static IEnumerable<string> Passed(GuestConfig config) =>
    [
        "-chardev", $"socket,id=life,server=off,path={Escape(LifeSocket(config))}",
        .. config.Nics.SelectMany((nic, index) => (string[])
        [
            "-netdev", Invariant($"stream,id=net{index},server=off,addr.type=unix,addr.path={Escape(nic.Socket)}"),
            "-device", Invariant($"virtio-net-pci,netdev=net{index},mac={nic.Mac},host_mtu={nic.Mtu},addr=0x{(index == 0 ? FirstNic : MoreNics + index):x},romfile="),
        ]),
    ];

    private static XElement Connect(string path) => new("source", new XAttribute("mode", "connect"), new XAttribute("path", path));

    private static XElement Place(int slot) => new("address", new XAttribute("type", "pci"), new XAttribute("domain", "0x0000"),
        new XAttribute("bus", "0x00"), new XAttribute("slot", Invariant($"0x{slot:x2}")), new XAttribute("function", "0x0"));

    private static XAttribute State(string state) => new("state", state);

    private static string Escape(string value) => value.Replace(",", ",,", StringComparison.Ordinal);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
