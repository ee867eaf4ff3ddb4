using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>What guests can do, by the connection.</summary>
internal static class LibvirtAbilities
{
    private const string Elsewhere = "it is a socket of this host's, and the guest runs on another";
    private const string MakeBelieve = "libvirt's test driver only makes believe";

    /// <summary>The abilities of a connection's guests.</summary>
    public static HypervisorCapabilities Of(LibvirtKind kind) => kind switch
    {
        LibvirtKind.Test => Nothing,
        LibvirtKind.Remote => OnAnotherHost,
        _ => OnThisHost,
    };

    private static HypervisorCapabilities OnThisHost { get; } = QemuHypervisor.Abilities with { Fork = false, DiskFaults = false, Reasons = Always() };

    private static HypervisorCapabilities OnAnotherHost { get; } = OnThisHost with
    {
        MaxSerials = 0,
        MaxNics = 0,
        Uefi = false,
        AgentChannel = false,
        StreamChannel = false,
        SysRq = false,
        Reasons = new Dictionary<string, string>(Always(), StringComparer.Ordinal)
        {
            ["uefi"] = "its variables would stay on the other host when it has ended",
            ["networks"] = Elsewhere,
            ["agent"] = Elsewhere,
            ["streams"] = Elsewhere,
            ["sysrq"] = "a BREAK goes over a serial port, which is a socket of this host's",
        },
    };

    private static HypervisorCapabilities Nothing { get; } = new()
    {
        MaxSerials = 0,
        Reasons = HypervisorFeature.All.ToDictionary(feature => feature.Name, _ => MakeBelieve, StringComparer.Ordinal),
    };

    private static Dictionary<string, string> Always() => new(StringComparer.Ordinal)
    {
        ["fork"] = "libvirt restores a saved state only as the domain that it was saved from, so no two guests can run from one",
        ["disk faults"] = "libvirt keeps the graph of a guest's disks to itself, and loses track of it when another changes it",
    };
}
