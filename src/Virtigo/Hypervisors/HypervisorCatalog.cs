using Virtigo.Host;
using Virtigo.Hypervisors.Libvirt;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Hypervisors.Uml;
using Virtigo.Hypervisors.Xen;

namespace Virtigo.Hypervisors;

/// <summary>The hypervisors that there are.</summary>
public static class HypervisorCatalog
{
    /// <summary>The names of all.</summary>
    public static IReadOnlyList<string> Names { get; } = [QemuHypervisor.KindName, LibvirtHypervisor.KindName, XenHypervisor.KindName, UmlHypervisor.KindName];

    /// <summary>Every hypervisor, the one that can do most first; whether this host can run its guests is another question.</summary>
    /// <param name="paths">Where their probes' answers are cached.</param>
    public static IReadOnlyList<IHypervisor> All(HostPaths paths) =>
        [new QemuHypervisor(paths), new LibvirtHypervisor(paths), new XenHypervisor(paths), new UmlHypervisor(paths)];
}
