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
    public HypervisorCapabilities Capabilities => Abilities;

    internal static HypervisorCapabilities Abilities { get; } = new()
    {
        MaxSerials = 1,
        MaxDisks = XlConfig.MaxDisks,
        MaxNics = XlConfig.MaxNics,
        KernelBoot = true,
        Qcow2 = true,
        Discs = true,
        AgentChannel = true,
        PowerButton = true,
        Reset = true,
        Pause = true,
        SysRq = true,
        Isolation = true,
        Reasons = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["disk boot"] = "its guests are PV or PVH, which have no firmware",
            ["uefi"] = "its guests are PV or PVH, which have no firmware",
            ["streams"] = "they are looked for on virtio, which its guests do not have",
            ["fork"] = "a domain's state can be restored once, in one domain",
            ["generation id"] = "its guests are PV or PVH, which have no firmware to tell them",
            ["credentials"] = "its guests are PV or PVH, which have no firmware to carry them; the kernel's command line can",
            ["disk faults"] = "its disks are served by a QEMU of xl's, with nothing between",
            ["keys"] = "it has no keyboard; its console is Xen's",
            ["screen"] = "it has no graphics card; its console is Xen's",
        },
    };

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
            return kind == XenDomainKind.Pvh && !Xl.HasPvh(await InfoAsync(cancellationToken))
                ? new HypervisorPresence(version, "the processor does not help Xen with PVH guests (virt_caps of 'xl info' has no hap)", "use PV guests")
                : new HypervisorPresence(version, null, null);
        }
        catch (VirtigoException error)
        {
            return new HypervisorPresence(null, error.Message, error.Hint);
        }
    }

    /// <inheritdoc/>
    public async Task<AcceleratorReport> ProbeAsync(string kernelPath, CancellationToken cancellationToken)
    {
        if (_report is { } known)
        {
            return known with { FromCache = true };
        }

        var config = new GuestConfig
        {
            Name = "probe",
            WorkDirectory = "",
            MemoryMiB = 192,
            Kernel = new KernelBoot(kernelPath, null, "console=hvc0 panic=-1"),
            Serials = [new GuestSerial("console")],
        };
        (_, TimeSpan time) = await PanicProbe.RunAsync(KindName, config, paths, StartAsync, cancellationToken);
        return _report = new AcceleratorReport(Accelerator.Xen,
            await KindAsync(cancellationToken) == XenDomainKind.Pvh ? "the processor helps it (PVH)" : "without help of the processor (PV)",
            null, new HostSpeed(time), FromCache: false);
    }

    /// <inheritdoc/>
    public AcceleratorReport? Remembered() => _report;

    /// <inheritdoc/>
    public string? OwnKernel => null;

    /// <inheritdoc/>
    public async Task<IGuest> StartAsync(GuestConfig config, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(config);
        GuestConfigCheck.Check(KindName, Abilities, config);
        XenConfigCheck.Check(config);
        if (config.AgentChannel && kind == XenDomainKind.Pvh)
        {
            throw new VirtigoException(FailureKind.Usage, $"Guest {config.Name} cannot be started: a PVH guest of xen has no channel for its agent.", "Run it as PV, or as auto.");
        }

        return await XenGuest.StartAsync(config, config.AgentChannel ? XenDomainKind.Pv : await KindAsync(cancellationToken), cancellationToken);
    }

    /// <summary>Whether a domain that can do this makes others.</summary>
    /// <param name="capabilities">What Xen tells the kernel of its domain.</param>
    internal static bool IsControlDomain(string capabilities) =>
        capabilities.Split([',', ' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Contains("control_d");

    private async Task<XenDomainKind> KindAsync(CancellationToken cancellationToken) => kind != XenDomainKind.Auto ? kind
        : Xl.HasPvh(await InfoAsync(cancellationToken)) ? XenDomainKind.Pvh
        : XenDomainKind.Pv;

    private async Task<string> InfoAsync(CancellationToken cancellationToken) => _info ??= await Tool.RunAsync(Xl.Program, ["info"], cancellationToken);
}
