using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>Runs guests in QEMU, as an ordinary user.</summary>
/// <param name="paths">Where answers of the probe are cached.</param>
public sealed class QemuHypervisor(HostPaths paths) : IHypervisor
{
    internal const string KindName = "qemu";
    private AcceleratorReport? _report;

    /// <inheritdoc/>
    public string Name => KindName;

    /// <inheritdoc/>
    public HypervisorCapabilities Capabilities => Abilities;

    /// <summary>Guests of QEMU can do everything.</summary>
    internal static HypervisorCapabilities Abilities { get; } = new()
    {
        MaxSerials = QemuCommandLine.MaxSerials,
        MaxDisks = QemuCommandLine.MaxDevices,
        MaxNics = QemuCommandLine.MaxDevices,
        KernelBoot = true,
        DiskBoot = true,
        Uefi = true,
        Qcow2 = true,
        Discs = true,
        AgentChannel = true,
        StreamChannel = true,
        PowerButton = true,
        Reset = true,
        Pause = true,
        Fork = true,
        GenerationId = true,
        Credentials = true,
        DiskFaults = true,
        SysRq = true,
        SendKeys = true,
        Display = true,
        Isolation = true,
    };

    /// <inheritdoc/>
    public string? OwnKernel => null;

    /// <inheritdoc/>
    public async Task<string> VersionAsync(CancellationToken cancellationToken) =>
        (await Tool.RunAsync(QemuCommandLine.Program, ["--version"], cancellationToken)).Split('\n')[0].Trim();

    /// <inheritdoc/>
    public async Task<HypervisorPresence> LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            return new HypervisorPresence(await VersionAsync(cancellationToken), null, null);
        }
        catch (VirtigoException error)
        {
            return new HypervisorPresence(null, error.Message, error.Hint);
        }
    }

    /// <inheritdoc/>
    public async Task<AcceleratorReport> ProbeAsync(string kernelPath, CancellationToken cancellationToken) =>
        _report = await AcceleratorProbe.ProbeAsync(kernelPath, paths, cancellationToken);

    /// <inheritdoc/>
    public AcceleratorReport? Remembered() => _report ??= new ProbeMemory(paths, KindName).Newest();

    /// <inheritdoc/>
    public async Task<IGuest> StartAsync(GuestConfig config, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (config.Accelerator == Accelerator.Ptrace)
        {
            throw new VirtigoException(FailureKind.Usage, $"Guest {config.Name} cannot be started: its accelerator is Ptrace; expected auto, kvm or tcg under qemu.");
        }

        Accelerator accelerator = config.Accelerator == Accelerator.Auto ? _report?.Accelerator ?? Accelerator.Tcg : config.Accelerator;
        return await QemuGuest.StartAsync(config, accelerator, cancellationToken);
    }
}
