using System.Globalization;
using System.Text;
using System.Xml;

namespace Virtigo.Images;

/// <summary>
/// The description of a machine in OVF 1.0. Its devices are those that VirtualBox, VMware and oVirt all have and Debian's kernel drives from its
/// initial file system: an LSI Logic SCSI controller and an E1000 network card.
/// </summary>
internal static class OvfDescriptor
{
    private const string Ovf = "http://schemas.dmtf.org/ovf/envelope/1";
    private const string Rasd = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData";
    private const string Vssd = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData";
    private const string Vmware = "http://www.vmware.com/schema/ovf";
    private const string StreamOptimized = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";
    private const string Network = "nat";

    /// <summary>Writes the description.</summary>
    /// <param name="shape">The machine.</param>
    /// <param name="diskName">The name of the disk's file.</param>
    /// <param name="diskFileBytes">That file's length in bytes.</param>
    public static string Write(MachineShape shape, string diskName, long diskFileBytes) => Write(shape, [(diskName, diskFileBytes)]);

    /// <summary>Writes the description of a machine with several disks.</summary>
    /// <param name="shape">The machine.</param>
    /// <param name="files">The name and the length in bytes of each disk's file, in the order of the disks.</param>
    public static string Write(MachineShape shape, IReadOnlyList<(string Name, long Bytes)> files)
    {
        IReadOnlyList<long> sizes = [shape.DiskBytes, .. shape.FurtherDisks.Select(disk => disk.Bytes)];
        using var text = new Utf8Writer();
        using (var xml = XmlWriter.Create(text, new XmlWriterSettings { Indent = true, NewLineChars = "\n" }))
        {
            xml.WriteStartElement("Envelope", Ovf);
            xml.WriteAttributeString("xmlns", "ovf", null, Ovf);
            xml.WriteAttributeString("xmlns", "rasd", null, Rasd);
            xml.WriteAttributeString("xmlns", "vssd", null, Vssd);
            xml.WriteAttributeString("xmlns", "vmw", null, Vmware);
            Section(xml, "References", null, () =>
            {
                foreach ((int index, (string name, long bytes)) in files.Index())
                {
                    Element(xml, "File", [("id", "file" + Number(index + 1)), ("href", name), ("size", Number(bytes))]);
                }
            });
            Section(xml, "DiskSection", sizes.Count == 1 ? "The disk" : "The disks", () =>
            {
                foreach ((int index, long bytes) in sizes.Index())
                {
                    Element(xml, "Disk",
                        [("diskId", "disk" + Number(index + 1)), ("fileRef", "file" + Number(index + 1)), ("capacity", Number(bytes)), ("capacityAllocationUnits", "byte"), ("format", StreamOptimized)]);
                }
            });
            Section(xml, "NetworkSection", "The network", () =>
            {
                xml.WriteStartElement("Network", Ovf);
                xml.WriteAttributeString("name", Ovf, Network);
                xml.WriteElementString("Description", Ovf, "A network with DHCP");
                xml.WriteEndElement();
            });
            System(xml, shape);
            xml.WriteEndElement();
        }

        return text + "\n";
    }

    private static void System(XmlWriter xml, MachineShape shape)
    {
        xml.WriteStartElement("VirtualSystem", Ovf);
        xml.WriteAttributeString("id", Ovf, shape.Name);
        xml.WriteElementString("Info", Ovf, "A machine made by Virtigo");
        xml.WriteElementString("Name", Ovf, shape.Name);
        xml.WriteStartElement("OperatingSystemSection", Ovf);
        xml.WriteAttributeString("id", Ovf, Number(OperatingSystem(shape)));
        xml.WriteElementString("Info", Ovf, "The operating system");
        xml.WriteElementString("Description", Ovf, $"{shape.Distribution} {shape.Release} {shape.Architecture}");
        xml.WriteEndElement();
        Section(xml, "VirtualHardwareSection", "The hardware", () =>
        {
            xml.WriteStartElement("System", Ovf);
            xml.WriteElementString("ElementName", Vssd, "Virtual hardware");
            xml.WriteElementString("InstanceID", Vssd, "0");
            xml.WriteElementString("VirtualSystemIdentifier", Vssd, shape.Name);
            xml.WriteElementString("VirtualSystemType", Vssd, "vmx-10 virtualbox-2.2");
            xml.WriteEndElement();
            Item(xml, ("AllocationUnits", "hertz * 10^6"), ("Description", "Processors"), ("ElementName", $"{Number(shape.Cpus)} processors"),
                ("InstanceID", "1"), ("ResourceType", "3"), ("VirtualQuantity", Number(shape.Cpus)));
            Item(xml, ("AllocationUnits", "byte * 2^20"), ("Description", "Memory"), ("ElementName", $"{Number(shape.MemoryMiB)} MiB of memory"),
                ("InstanceID", "2"), ("ResourceType", "4"), ("VirtualQuantity", Number(shape.MemoryMiB)));
            Item(xml, ("Address", "0"), ("Description", "SCSI controller"), ("ElementName", "SCSI controller 0"), ("InstanceID", "3"),
                ("ResourceSubType", "lsilogic"), ("ResourceType", "6"));
            Item(xml, ("AddressOnParent", "0"), ("Description", "Disk"), ("ElementName", "Disk 1"), ("HostResource", "ovf:/disk/disk1"),
                ("InstanceID", "4"), ("Parent", "3"), ("ResourceType", "17"));
            foreach ((int index, NamedDisk disk) in shape.FurtherDisks.Index())
            {
                // The controller itself has the address 7 on its bus.
                int address = index + 1 < 7 ? index + 1 : index + 2;
                Item(xml, ("AddressOnParent", Number(address)), ("Description", $"Disk {disk.Name}"), ("ElementName", $"Disk {Number(index + 2)}"),
                    ("HostResource", "ovf:/disk/disk" + Number(index + 2)), ("InstanceID", Number(100 + index)), ("Parent", "3"), ("ResourceType", "17"));
            }

            foreach ((int index, string? mac) in shape.Cards.Index())
            {
                Card(xml, index, mac);
            }

            if (shape.Uefi)
            {
                xml.WriteStartElement("Config", Vmware);
                xml.WriteAttributeString("required", Ovf, "false");
                xml.WriteAttributeString("key", Vmware, "firmware");
                xml.WriteAttributeString("value", Vmware, "efi");
                xml.WriteEndElement();
            }
        });
        xml.WriteEndElement();
    }

    private static void Card(XmlWriter xml, int index, string? mac)
    {
        List<(string, string)> elements =
        [
            .. mac is null ? [] : new[] { ("Address", mac) },
            ("AddressOnParent", Number(7 + index)), ("AutomaticAllocation", "true"), ("Connection", Network), ("Description", "Network card"),
            ("ElementName", index == 0 ? $"Network card on {Network}" : $"Network card {index + 1} on {Network}"), ("InstanceID", Number(5 + index)),
            ("ResourceSubType", "E1000"), ("ResourceType", "10"),
        ];
        Item(xml, [.. elements]);
    }

    /// <summary>CIM's numbers of operating systems: Debian and Ubuntu of 64 bits, else any Linux of 64 bits.</summary>
    private static int OperatingSystem(MachineShape shape) => shape.Distribution switch { "debian" => 96, "ubuntu" => 94, _ => 101 };

    private static void Section(XmlWriter xml, string name, string? info, Action content)
    {
        xml.WriteStartElement(name, Ovf);
        if (info is not null)
        {
            xml.WriteElementString("Info", Ovf, info);
        }

        content();
        xml.WriteEndElement();
    }

    private static void Element(XmlWriter xml, string name, IReadOnlyList<(string Name, string Value)> attributes)
    {
        xml.WriteStartElement(name, Ovf);
        foreach ((string key, string value) in attributes)
        {
            xml.WriteAttributeString(key, Ovf, value);
        }

        xml.WriteEndElement();
    }

    /// <summary>A device; its schema wants the elements in the order of the alphabet.</summary>
    private static void Item(XmlWriter xml, params (string Name, string Value)[] elements)
    {
        xml.WriteStartElement("Item", Ovf);
        foreach ((string name, string value) in elements)
        {
            xml.WriteElementString(name, Rasd, value);
        }

        xml.WriteEndElement();
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private sealed class Utf8Writer() : StringWriter(CultureInfo.InvariantCulture)
    {
        public override Encoding Encoding => Encoding.UTF8;
    }
}
