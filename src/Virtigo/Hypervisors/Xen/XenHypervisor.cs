using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Xen;

/// <summary>Runs guests in domains of Xen, by the toolstack xl of its dom0, as root there.</summary>
/// <param name="paths">Where a probe's guest has its files.</param>
/// <param name="kind">How guests are virtualised.</param>
public sealed class XenHypervisor(HostPaths paths, XenDomainKind kind = XenDomainKind.Auto) : IHypervisor
{
    internal const string KindName = "xen";
    private const string CapabilitiesFile = "/proc/xen/capabilities";
    private AcceleratorReport? _report;
    private string? _info;

    /// <inheritdoc/>
    public string Name => KindName;

    /// <inheritdoc/>
    public HypervisorCapabilities Capabilities => XenAbilities.Of(kind);

    /// <inheritdoc/>
    public async Task<string> VersionAsync(CancellationToken cancellationToken) =>
        "Xen " + (Xl.Info(await InfoAsync(cancellationToken), "xen_version") ?? "of an unknown version");

    /// <inheritdoc/>
    public async Task<HypervisorPresence> LookAsync(CancellationToken cancellationToken)
    {
        if (!IsControlDomain(File.Exists(CapabilitiesFile) ? await File.ReadAllTextAsync(CapabilitiesFile, cancellationToken) : ""))
        {
            return new HypervisorPresence(null, "this host is not the dom0 of a Xen", "apt install xen-system-amd64, and boot into Xen");
        }

        if (HostTools.Find(Xl.Program) is null)
        {
            return new HypervisorPresence(null, "this is a dom0 without xl, its toolstack", "apt install xen-utils-common");
        }

        if (!Environment.IsPrivilegedProcess)
        {
            return new HypervisorPresence(null, "xl is for root alone", "run virtigo as root, in this dom0");
        }

        try
        {
            string version = await VersionAsync(cancellationToken);
            string info = await InfoAsync(cancellationToken);
            return kind switch
            {
                XenDomainKind.Pvh when !Xl.HasPvh(info) =>
                    new HypervisorPresence(version, "the processor does not help Xen with PVH guests (virt_caps of 'xl info' has no hap)", "use PV guests"),
                XenDomainKind.Hvm when !Xl.HasHvm(info) =>
                    new HypervisorPresence(version, "the processor does not help Xen with HVM guests (virt_caps of 'xl info' has no hvm)", "use PV guests"),
                _ => new HypervisorPresence(version, null, null),
            };
        }
        catch (VirtigoException error)
        {
            return new HypervisorPresence(null, error.Message, error.Hint);
        }
    }

    /// <inheritdoc/>
    public async Task<AcceleratorReport> ProbeAsync(string kernelPath, CancellationToken cancellationToken)
    {
        string info = await InfoAsync(cancellationToken);
        XenDomainKind taken = kind == XenDomainKind.Auto ? Best(info) : kind;
        string key = ProbeMemory.KeyOf(await VersionAsync(cancellationToken), taken.ToString(), kernelPath);
        return _report = await new ProbeMemory(paths, KindName).RecallAsync(key, token => RunProbeAsync(taken, kernelPath, token), cancellationToken);
    }

    /// <inheritdoc/>
    public AcceleratorReport? Remembered() => _report ??= new ProbeMemory(paths, KindName).Newest();

    /// <inheritdoc/>
    public string? OwnKernel => null;

    /// <inheritdoc/>
    public async Task<long?> GuestMemoryMiBAsync(CancellationToken cancellationToken)
    {
        // What dom0 has is for dom0 alone: domains are made of what Xen has left.
        string now = await Tool.RunAsync(Xl.Program, ["info"], cancellationToken);
        return Xl.Info(now, "free_memory") is { } free && long.TryParse(free, NumberStyles.None, CultureInfo.InvariantCulture, out long mib)
            ? mib + Xl.MemoryMiB(await Tool.RunAsync(Xl.Program, ["list"], cancellationToken), XenGuest.DomainPrefix)
            : throw new VirtigoException(FailureKind.Host, "xl does not say how much memory Xen has left.", "See what it says: xl info");
    }

    /// <inheritdoc/>
    public async Task<IGuest> StartAsync(GuestConfig config, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(config);
        GuestConfigCheck.Check(KindName, Capabilities, config);
        XenDomainKind taken = kind == XenDomainKind.Auto ? Best(await InfoAsync(cancellationToken)) : kind;
        XenConfigCheck.Check(config, taken);
        return await XenGuest.StartAsync(config, taken, cancellationToken);
    }

    /// <summary>Whether a domain that can do this makes others.</summary>
    /// <param name="capabilities">What Xen tells the kernel of its domain.</param>
    internal static bool IsControlDomain(string capabilities) =>
        capabilities.Split([',', ' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Contains("control_d");

    private static XenDomainKind Best(string info) => Xl.HasPvh(info) ? XenDomainKind.Pvh : XenDomainKind.Pv;

    private async Task<AcceleratorReport> RunProbeAsync(XenDomainKind taken, string kernelPath, CancellationToken cancellationToken)
    {
        var config = new GuestConfig
        {
            Name = "probe",
            WorkDirectory = "",
            MemoryMiB = 192,
            Kernel = new KernelBoot(kernelPath, null, $"console={(taken == XenDomainKind.Hvm ? "ttyS0" : "hvc0")} panic=-1"),
            Serials = [new GuestSerial("console")],
        };
        (_, TimeSpan time) = await PanicProbe.RunAsync(KindName, config, paths, StartAsync, cancellationToken);
        return new AcceleratorReport(Accelerator.Xen, taken switch
        {
            XenDomainKind.Pv => "without help of the processor (PV)",
            XenDomainKind.Pvh => "the processor helps it (PVH)",
            _ => "the processor helps it, and a QEMU of its has their devices (HVM)",
        }, null, new HostSpeed(time), FromCache: false);
    }

    private async Task<string> InfoAsync(CancellationToken cancellationToken) => _info ??= await Tool.RunAsync(Xl.Program, ["info"], cancellationToken);
}
