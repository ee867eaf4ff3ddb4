using System.Text.RegularExpressions;
using Virtigo.Host;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>
/// Runs guests as transient domains of libvirt's QEMU driver, through the installed client (<c>virsh</c>). A domain belongs to a client that this
/// process owns: when that ends, however it does, libvirt ends the domain.
/// </summary>
public sealed partial class LibvirtHypervisor : IHypervisor
{
    /// <summary>The connection where nothing else is said: guests run as the user who asks.</summary>
    public const string DefaultUri = "qemu:///session";

    internal const string KindName = "libvirt";
    private readonly HostPaths _paths;
    private readonly LibvirtClient _client;
    private AcceleratorReport? _report;

    /// <summary>Prepares a connection; nothing is connected yet.</summary>
    /// <param name="paths">Where answers of the probe are cached.</param>
    /// <param name="uri">
    /// The connection: <c>qemu:///session</c>, <c>qemu:///system</c>, either of them on another host (<c>qemu+ssh://HOST/system</c>), or
    /// <c>test:///default</c>, which answers and runs no guests.
    /// </param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when it is no such URI.</exception>
    public LibvirtHypervisor(HostPaths paths, string uri = DefaultUri)
    {
        ArgumentNullException.ThrowIfNull(uri);
        _paths = paths;
        _client = new LibvirtClient(LibvirtUri.Parse(uri));
        Capabilities = LibvirtAbilities.Of(_client.Uri.Kind);
    }

    /// <inheritdoc/>
    public string Name => KindName;

    /// <summary>What guests of this connection can do: those on another host less than those on this one.</summary>
    public HypervisorCapabilities Capabilities { get; }

    /// <inheritdoc/>
    public async Task<string> VersionAsync(CancellationToken cancellationToken)
    {
        ToolResult result = await AskAsync(cancellationToken);
        return result.ExitCode == 0 ? Version(result.Output)
            : throw new VirtigoException(FailureKind.Host, $"libvirt at {_client.Uri.Text} cannot be used: {LibvirtClient.Reason(result.Error)}.",
                LibvirtTrouble.Mend(_client.Uri, result.Error));
    }

    /// <inheritdoc/>
    public async Task<HypervisorPresence> LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_client.Uri.Kind == LibvirtKind.Session && HostTools.Find(LibvirtClient.Program) is not null
                && HostTools.Find("libvirtd") is null && HostTools.Find("virtqemud") is null)
            {
                return new HypervisorPresence(null, "no daemon of libvirt's is installed", "apt install libvirt-daemon libvirt-daemon-driver-qemu");
            }

            if (_client.Uri.IsLocal)
            {
                HostTools.Require(QemuCommandLine.Program);
            }

            string version = await VersionAsync(cancellationToken);
            return new HypervisorPresence(version, _client.Uri.Kind == LibvirtKind.Test ? "libvirt's test driver only makes believe" : null, null);
        }
        catch (VirtigoException error)
        {
            return new HypervisorPresence(null, error.Message, error.Hint);
        }
    }

    /// <inheritdoc/>
    public async Task<AcceleratorReport> ProbeAsync(string kernelPath, CancellationToken cancellationToken) => _client.Uri.IsLocal
        ? _report = await AcceleratorProbe.ProbeAsync(kernelPath, _paths, cancellationToken)
        : throw new VirtigoException(FailureKind.Host, $"How guests of {_client.Uri.Text} run best cannot be found out: they do not run on this host.",
            "Say the accelerator of each guest: kvm or tcg.");

    /// <inheritdoc/>
    public AcceleratorReport? Remembered() => _client.Uri.IsLocal ? _report ??= new ProbeMemory(_paths, QemuHypervisor.KindName).Newest() : null;

    /// <inheritdoc/>
    public string? OwnKernel => null;

    /// <inheritdoc/>
    public string Engine => QemuHypervisor.KindName;

    /// <inheritdoc/>
    public async Task<IGuest> StartAsync(GuestConfig config, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(config);
        Accelerator accelerator = config.Accelerator == Accelerator.Auto ? _report?.Accelerator ?? Accelerator.Tcg : config.Accelerator;
        return await LibvirtGuest.StartAsync(_client, Capabilities, config, accelerator, cancellationToken);
    }

    /// <summary>The versions, by what the client says.</summary>
    internal static string Version(string said)
    {
        string library = LibraryPattern().Match(said).Groups[1].Value;
        string runs = HypervisorPattern().Match(said).Groups[1].Value;
        return (library, runs) switch
        {
            ("", _) => "libvirt of an unknown version",
            (_, "") => "libvirt " + library,
            _ => $"libvirt {library}, {runs}",
        };
    }

    private Task<ToolResult> AskAsync(CancellationToken cancellationToken) => _client.TryAsync(["version"], cancellationToken);

    [GeneratedRegex(@"^Using library: libvirt ([0-9][0-9.]{0,30})\s*$", RegexOptions.Multiline)]
    private static partial Regex LibraryPattern();

    [GeneratedRegex(@"^Running hypervisor: ([A-Za-z]{1,20} [0-9][0-9.]{0,30})\s*$", RegexOptions.Multiline)]
    private static partial Regex HypervisorPattern();
}
