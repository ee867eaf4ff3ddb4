using System.Text;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Networks;

namespace Virtigo.Installers.Debian;

/// <summary>What one run of the installer needs.</summary>
internal sealed record InstallJob
{
    /// <summary>The appliance's name, for processes and logs.</summary>
    public required string Name { get; init; }

    /// <summary>A folder of mode 0700 with a short path, for sockets.</summary>
    public required string SocketFolder { get; init; }

    /// <summary>Where the installer's log and screen are kept.</summary>
    public required string LogFolder { get; init; }

    /// <summary>The disk to install on: an empty one, or that of the state gone on from.</summary>
    public required string DiskPath { get; init; }

    /// <summary>Its format.</summary>
    public DiskFormat DiskFormat { get; init; }

    /// <summary>The disks beside that one.</summary>
    public IReadOnlyList<GuestDisk> FurtherDisks { get; init; } = [];

    /// <summary>The installer's kernel.</summary>
    public required string KernelPath { get; init; }

    /// <summary>The composed initial file system.</summary>
    public required string InitrdPath { get; init; }

    /// <summary>The installer's kernel command line.</summary>
    public required string CommandLine { get; init; }

    /// <summary>Where an installer was saved that this one goes on from; null to begin at the beginning.</summary>
    public string? SavedState { get; init; }

    /// <summary>What the installer fetches when it waits for the appliance's own part; null when it never does.</summary>
    public Func<CancellationToken, Task<byte[]>>? OwnPart { get; init; }

    /// <summary>The line on the log port that proves the installer's last step; null when a clean power-off has to do.</summary>
    public string? Marker { get; init; }

    /// <summary>The guest's memory in MiB.</summary>
    public required int MemoryMiB { get; init; }

    /// <summary>What starts the guest, and so what the installer prepares the disk for.</summary>
    public FirmwareKind Firmware { get; init; }

    /// <summary>How the guest's instructions run.</summary>
    public required Accelerator Accelerator { get; init; }

    /// <summary>The TCP ports on which the guest finds its archives.</summary>
    public required IReadOnlySet<int> ArchivePorts { get; init; }
}

/// <summary>Runs debian-installer in a guest whose only way out is the archive proxy, until it proves to be done.</summary>
/// <param name="hypervisor">Runs the guest.</param>
/// <param name="proxy">Serves the guest.</param>
/// <param name="watcher">Reads what the installer says.</param>
internal sealed class DebianInstall(IHypervisor hypervisor, ArchiveProxy proxy, InstallWatcher watcher)
{
    /// <summary>The name of the log kept of the installer's syslog.</summary>
    public const string SyslogName = "installer-syslog.log";

    /// <summary>The name of the log kept of the installer's screen.</summary>
    public const string ScreenName = "installer-screen.log";

    private const string ScreenPort = "screen";
    private const string LogPort = "log";

    /// <summary>Large packets, since under emulation the guest pays for each; of 1500, 9000 and 65520 bytes this was measured to be the fastest.</summary>
    private const int LargestMtu = 9000;

    /// <summary>
    /// Installs until the installer waits for the appliance's own part, and saves it there. One that goes on from a saved state is given a part first,
    /// and waits for the next.
    /// </summary>
    /// <param name="job">The install; its disk is complete when this returns.</param>
    /// <param name="statePath">The file to save the guest's state in.</param>
    /// <param name="cancellationToken">Ends the install.</param>
    /// <exception cref="VirtigoException">The install failed; the guest is gone.</exception>
    public async Task SaveWaitingAsync(InstallJob job, string statePath, CancellationToken cancellationToken)
    {
        await using GuestGateway gateway = Listen(job);
        await using IGuest guest = await hypervisor.StartAsync(Guest(job, gateway.SocketPath), cancellationToken);
        Stream log = guest.OpenSerial(LogPort);
        Task<bool> waiting = FindAsync(log, InstallHooks.Waiting, cancellationToken);
        Task<InstallFailure?> watching = WatchAsync(guest, cancellationToken);
        try
        {
            if (job.SavedState is not null)
            {
                await HandOverAsync(job, log, cancellationToken);
            }

            if (await Task.WhenAny(waiting, watching) == waiting && await waiting)
            {
                await guest.PauseAsync(cancellationToken);
                await guest.SaveStateAsync(statePath, cancellationToken);
                return;
            }

            if (await watching is { } failure)
            {
                throw failure.ToException();
            }

            throw Unproven(await guest.Exited.WaitAsync(cancellationToken));
        }
        finally
        {
            await guest.KillAsync(CancellationToken.None);
            await Task.WhenAll(waiting, watching).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Installs to the end. One that does not go on from a saved state is given its own part when it waits for that.</summary>
    /// <returns>How the guest ended, which is a clean power-off after the success marker.</returns>
    /// <exception cref="VirtigoException">The install failed; the guest is gone.</exception>
    public async Task<GuestExit> RunAsync(InstallJob job, CancellationToken cancellationToken)
    {
        await using GuestGateway gateway = Listen(job);
        await using IGuest guest = await hypervisor.StartAsync(Guest(job, gateway.SocketPath), cancellationToken);
        Stream log = guest.OpenSerial(LogPort);
        Task<bool> marker = FindAsync(log, job.Marker ?? "", cancellationToken);
        Task<bool> waiting = job.SavedState is null ? FindAsync(guest.OpenSerial(LogPort), InstallHooks.Waiting, cancellationToken) : Task.FromResult(true);
        Task<InstallFailure?> watching = WatchAsync(guest, cancellationToken);
        try
        {
            if (job.OwnPart is not null && await Task.WhenAny(waiting, watching) == waiting && await waiting)
            {
                await HandOverAsync(job, log, cancellationToken);
            }

            if (await watching is { } failure)
            {
                throw failure.ToException();
            }

            GuestExit exit = await guest.Exited.WaitAsync(cancellationToken);
            return exit.Reason == GuestExitReason.GuestShutdown && await marker ? exit : throw Unproven(exit);
        }
        finally
        {
            await guest.KillAsync(CancellationToken.None);
            await Task.WhenAll(marker, waiting, watching).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task HandOverAsync(InstallJob job, Stream log, CancellationToken cancellationToken)
    {
        proxy.HandOut(InstallHooks.OwnPath, await job.OwnPart!(cancellationToken));
        await log.WriteAsync(Encoding.ASCII.GetBytes(InstallHooks.GoOn), cancellationToken);
    }

    private GuestGateway Listen(InstallJob job) => GuestGateway.Listen(
        new GuestGatewayOptions
        {
            SocketPath = Path.Combine(job.SocketFolder, "net"),
            Mtu = Mtu,
            DnsNames = proxy.Hosts,
            TcpPorts = job.ArchivePorts,
        },
        (connection, token) => proxy.ServeAsync(connection.Stream, token));

    private Task<InstallFailure?> WatchAsync(IGuest guest, CancellationToken cancellationToken) =>
        watcher.WatchAsync(guest.OpenSerial(LogPort), guest.OpenSerial(ScreenPort), cancellationToken);

    private VirtigoException Unproven(GuestExit exit) => GuestWatch.Unproven(exit, watcher.Explain(), SyslogName);

    private int Mtu => Math.Min(LargestMtu, hypervisor.Capabilities.MaxMtu);

    private GuestConfig Guest(InstallJob job, string networkSocket) => new()
    {
        Name = job.Name,
        WorkDirectory = job.SocketFolder,

        // A second emulated CPU costs more than it gives: the installer does one thing after the other.
        Cpus = 1,
        MemoryMiB = job.MemoryMiB,
        Firmware = job.Firmware,
        Accelerator = job.Accelerator,
        SavedState = job.SavedState,
        Disks = [new GuestDisk(job.DiskPath, job.DiskFormat) { Unsafe = true }, .. job.FurtherDisks],
        Kernel = new KernelBoot(job.KernelPath, job.InitrdPath, job.CommandLine),
        Nics = [new GuestNic(networkSocket) { Mtu = Mtu }],
        Serials =
        [
            Port(job, ScreenPort, ScreenName),
            Port(job, LogPort, SyslogName),
        ],
    };

    private static GuestSerial Port(InstallJob job, string name, string log) =>
        new(name) { LogFile = Path.Combine(job.LogFolder, log), LogAppends = job.SavedState is not null };

    /// <summary>Whether a port says something before it ends.</summary>
    internal static async Task<bool> FindAsync(Stream port, string marker, CancellationToken cancellationToken) =>
        await StreamSearch.FindAsync(port, [Encoding.UTF8.GetBytes(marker)], cancellationToken) >= 0;
}
