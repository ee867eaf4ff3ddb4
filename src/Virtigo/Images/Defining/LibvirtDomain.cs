using System.Globalization;
using System.Xml.Linq;

namespace Virtigo.Images;

/// <summary>A domain of libvirt. Disk and network card are at the places on the bus where the installer found them.</summary>
internal static class LibvirtDomain
{
    public static string Write(MachineShape shape, DefinitionOptions options, bool agent) => new XElement("domain",
        new XAttribute("type", "kvm"),
        new XElement("name", shape.Name),
        new XElement("description", $"{shape.Distribution} {shape.Release} {shape.Architecture}, made by Virtigo"),
        new XElement("memory", new XAttribute("unit", "MiB"), Number(shape.MemoryMiB)),
        new XElement("vcpu", Number(shape.Cpus)),
        new XElement("os", shape.Uefi ? new XAttribute("firmware", "efi") : null, new XElement("type", new XAttribute("arch", "x86_64"), new XAttribute("machine", "pc"), "hvm"),
            new XElement("boot", new XAttribute("dev", "hd"))),
        new XElement("features", new XElement("acpi"), new XElement("apic")),
        new XElement("cpu", new XAttribute("mode", "host-model")),
        new XElement("devices",
            new XElement("disk", new XAttribute("type", "file"), new XAttribute("device", "disk"),
                new XElement("driver", new XAttribute("name", "qemu"), new XAttribute("type", DiskFormats.Driver(options.Format)!), new XAttribute("discard", "unmap")),
                new XElement("source", new XAttribute("file", options.DiskPath)),
                new XElement("target", new XAttribute("dev", "vda"), new XAttribute("bus", "virtio")),
                Address("0x02")),
            shape.FurtherDisks.Select((disk, index) => new XElement("disk", new XAttribute("type", "file"), new XAttribute("device", "disk"),
                new XElement("driver", new XAttribute("name", "qemu"), new XAttribute("type", DiskFormats.Driver(options.Format)!), new XAttribute("discard", "unmap")),
                new XElement("source", new XAttribute("file", options.FurtherDiskPath(disk.Name))),
                new XElement("target", new XAttribute("dev", "vd" + (char)('b' + index)), new XAttribute("bus", "virtio")),
                new XElement("serial", disk.Name),
                Address(string.Create(CultureInfo.InvariantCulture, $"0x{0x11 + index:x2}")))),
            shape.Cards.Select((mac, index) => new XElement("interface", new XAttribute("type", "network"),
                mac is null ? null : new XElement("mac", new XAttribute("address", mac)),
                new XElement("source", new XAttribute("network", "default")),
                new XElement("model", new XAttribute("type", "virtio")),
                Address(index == 0 ? "0x03" : string.Create(CultureInfo.InvariantCulture, $"0x{0x17 + index:x2}")))),
            agent ? new XElement("channel", new XAttribute("type", "unix"),
                new XElement("target", new XAttribute("type", "virtio"), new XAttribute("name", "org.qemu.guest_agent.0"))) : null,
            new XElement("serial", new XAttribute("type", "pty"), new XElement("target", new XAttribute("port", "0"))),
            new XElement("console", new XAttribute("type", "pty"), new XElement("target", new XAttribute("type", "serial"), new XAttribute("port", "0"))),
            new XElement("video", new XElement("model", new XAttribute("type", "none"))),
            new XElement("rng", new XAttribute("model", "virtio"), new XElement("backend", new XAttribute("model", "random"), "/dev/urandom")))) + "\n";

    private static XElement Address(string slot) => new("address", new XAttribute("type", "pci"), new XAttribute("domain", "0x0000"),
        new XAttribute("bus", "0x00"), new XAttribute("slot", slot), new XAttribute("function", "0x0"));

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
