using Virtigo.Host;
using Virtigo.Hypervisors.Libvirt;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Hypervisors.Uml;
using Virtigo.Hypervisors.Xen;

namespace Virtigo.Hypervisors;

/// <summary>The hypervisors that there are.</summary>
public static class HypervisorCatalog
{
    /// <summary>The variable with the URI of the libvirt that guests are given to, where that is not <see cref="LibvirtHypervisor.DefaultUri"/>.</summary>
    public const string LibvirtUriVariable = "VIRTIGO_LIBVIRT_URI";

    /// <summary>The names of all.</summary>
    public static IReadOnlyList<string> Names { get; } = [QemuHypervisor.KindName, LibvirtHypervisor.KindName, XenHypervisor.KindName, UmlHypervisor.KindName];

    /// <summary>Every hypervisor, the one that can do most first; whether this host can run its guests is another question.</summary>
    /// <param name="paths">Where their probes' answers are cached.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when <see cref="LibvirtUriVariable"/> leads to nothing whose guests can be run.</exception>
    public static IReadOnlyList<IHypervisor> All(HostPaths paths) => All(paths, Environment.GetEnvironmentVariable(LibvirtUriVariable));

    internal static IReadOnlyList<IHypervisor> All(HostPaths paths, string? libvirtUri) =>
    [
        new QemuHypervisor(paths),
        new LibvirtHypervisor(paths, string.IsNullOrEmpty(libvirtUri) ? LibvirtHypervisor.DefaultUri : libvirtUri),
        new XenHypervisor(paths),
        new UmlHypervisor(paths),
    ];
}
