using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Hypervisors.Xen;

/// <summary>What guests of Xen can do, by how they are virtualised.</summary>
internal static class XenAbilities
{
    private const string NoFirmware = "its guests are PV or PVH, which have no firmware";

    /// <summary>What guests of a kind can do.</summary>
    /// <param name="kind">The kind.</param>
    public static HypervisorCapabilities Of(XenDomainKind kind) => kind == XenDomainKind.Hvm ? s_machine : s_own;

    private static readonly HypervisorCapabilities s_machine = new()
    {
        MaxSerials = QemuCommandLine.MaxSerials,
        MaxDisks = XlConfig.MaxDisks,
        MaxNics = XlConfig.MaxNics,
        DiskBoot = true,
        KernelBoot = true,
        Qcow2 = true,
        Discs = true,
        AgentChannel = true,
        StreamChannel = true,
        PowerButton = true,
        Reset = true,
        Pause = true,
        SysRq = true,
        Isolation = true,
        Reasons = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["uefi"] = "its HVM guests are given a BIOS alone: UEFI by its toolstack is not among the tests",
            ["fork"] = "a domain's state can be restored once, in one domain",
            ["generation id"] = "a reset is another domain, so each would look like a copy",
            ["credentials"] = "its firmware's tables are made by its toolstack; the kernel's command line can carry them",
            ["disk faults"] = "its disks are served by a QEMU of xl's, with nothing between",
            ["keys"] = "its toolstack keeps QEMU's machine protocol to itself",
            ["screen"] = "its toolstack keeps QEMU's machine protocol to itself",
        },
    };

    private static readonly HypervisorCapabilities s_own = s_machine with
    {
        MaxSerials = XlConfig.MaxSerials,
        MaxMtu = VifCard.MaxMtu,
        DiskBoot = false,
        StreamChannel = false,
        Reasons = new Dictionary<string, string>(s_machine.Reasons, StringComparer.Ordinal)
        {
            ["disk boot"] = NoFirmware,
            ["uefi"] = NoFirmware,
            ["streams"] = "they are looked for on virtio, which its guests do not have",
            ["generation id"] = NoFirmware + " to tell them",
            ["credentials"] = NoFirmware + " to carry them; the kernel's command line can",
            ["keys"] = "it has no keyboard; its console is Xen's",
            ["screen"] = "it has no graphics card; its console is Xen's",
        },
    };
}
