using Virtigo.Host;

namespace Virtigo.Hypervisors.Uml;

/// <summary>
/// Runs guests in User-Mode Linux, as an ordinary user. A guest's kernel is a program of the user's own: whoever is root in the guest can do with it
/// what that user can do on the host.
/// </summary>
/// <param name="paths">Where a probe's guest has its files.</param>
public sealed class UmlHypervisor(HostPaths paths) : IHypervisor
{
    internal const string KindName = "uml";
    private const string TracingScope = "/proc/sys/kernel/yama/ptrace_scope";
    private AcceleratorReport? _report;

    /// <inheritdoc/>
    public string Name => KindName;

    /// <inheritdoc/>
    public HypervisorCapabilities Capabilities => Abilities;

    internal static HypervisorCapabilities Abilities { get; } = new()
    {
        MaxSerials = UmlCommandLine.MaxSerials,
        MaxCpus = 1,
        MaxDisks = UmlCommandLine.MaxDevices,
        MaxNics = UmlCommandLine.MaxDevices,
        KernelBoot = true,
        AgentChannel = true,
        PowerButton = true,
        Reset = true,
        Pause = true,
        SysRq = true,
        Reasons = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["disk boot"] = "it has no firmware: its kernel is a program of the host's",
            ["uefi"] = "it has no firmware: its kernel is a program of the host's",
            ["qcow2"] = "it reads the bytes of a disk as they are; convert it by 'virtigo images export IMAGE disk.raw'",
            ["discs"] = "it has disks only",
            ["streams"] = "it has serial lines only, and the agent has one of its own",
            ["fork"] = "its state is spread over processes of the host and cannot be saved",
            ["generation id"] = "it has no ACPI, through which a guest is told",
            ["credentials"] = "it has no firmware to carry them; the kernel's command line can",
            ["disk faults"] = "its disks are files that it opens itself, with nothing between",
            ["keys"] = "it has no keyboard; its consoles are serial lines",
            ["screen"] = "it has no graphics card; its consoles are serial lines",
            ["isolation"] = "its kernel is a program of yours: root in it can read your files and run anything as you",
        },
    };

    /// <inheritdoc/>
    public async Task<string> VersionAsync(CancellationToken cancellationToken) =>
        "User-Mode Linux " + (await Tool.RunAsync(UmlCommandLine.Program, ["--version"], cancellationToken)).Split('\n')[0].Trim();

    /// <inheritdoc/>
    public async Task<HypervisorPresence> LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            string version = await VersionAsync(cancellationToken);
            string scope = File.Exists(TracingScope) ? (await File.ReadAllTextAsync(TracingScope, cancellationToken)).Trim() : "0";
            return scope is "2" or "3"
                ? new HypervisorPresence(version, $"this host forbids programs to trace their own ({TracingScope} is {scope})",
                    scope == "2" ? "sysctl kernel.yama.ptrace_scope=1" : null)
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
        string version = await VersionAsync(cancellationToken);
        string key = ProbeMemory.KeyOf(version, kernelPath);
        return _report = await new ProbeMemory(paths, KindName).RecallAsync(key, token => RunProbeAsync(kernelPath, token), cancellationToken);
    }

    /// <inheritdoc/>
    public AcceleratorReport? Remembered() => _report ??= new ProbeMemory(paths, KindName).Newest();

    /// <inheritdoc/>
    public string? OwnKernel => HostTools.Find(UmlCommandLine.Program);

    private async Task<AcceleratorReport> RunProbeAsync(string kernelPath, CancellationToken cancellationToken)
    {
        var config = new GuestConfig
        {
            Name = "virtigo-probe",
            WorkDirectory = "",
            MemoryMiB = 128,
            Kernel = new KernelBoot(kernelPath, null, "console=ttyS0 panic=-1"),
            Serials = [new GuestSerial("console")],
        };
        (GuestExit exit, TimeSpan time) = await PanicProbe.RunAsync(KindName, config, paths, StartAsync, cancellationToken);
        return new AcceleratorReport(Accelerator.Ptrace, Mode(exit.ErrorTail), null, new HostSpeed(time), FromCache: false);
    }

    /// <summary>How this kernel runs its programs here, by what it found out itself as it began.</summary>
    internal static string Mode(string said) => said.Contains("advanced syscall emulation patch for ptrace...OK", StringComparison.Ordinal)
        ? "it takes its programs' system calls by ptrace, with the host's help (SYSEMU)"
        : "it takes its programs' system calls by ptrace, without the host's help (SYSEMU)";

    /// <inheritdoc/>
    public async Task<IGuest> StartAsync(GuestConfig config, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(config);
        return await UmlGuest.StartAsync(config, cancellationToken);
    }
}
