using Virtigo.Archives;
using Virtigo.Hypervisors;
using Virtigo.Installers.Debian;
using Virtigo.Networks;

namespace Virtigo.Installers.Ubuntu;

/// <summary>Runs Ubuntu's live installer in a guest whose only way out is the archive proxy, until it proves to be done.</summary>
/// <param name="hypervisor">Runs the guest.</param>
/// <param name="proxy">Serves the guest.</param>
/// <param name="watcher">Reads what the installer says.</param>
internal sealed class UbuntuInstall(IHypervisor hypervisor, ArchiveProxy proxy, UbuntuWatcher watcher)
{
    private const string ScreenPort = "screen";
    private const string LogPort = "log";
    private const int Mtu = 9000;

    /// <summary>Installs.</summary>
    /// <param name="job">The install.</param>
    /// <param name="mediumPath">The installation medium.</param>
    /// <param name="seedPath">The volume with the answers.</param>
    /// <param name="cancellationToken">Ends the install.</param>
    /// <exception cref="VirtigoException">The install failed; the guest is gone.</exception>
    public async Task RunAsync(InstallJob job, string mediumPath, string seedPath, CancellationToken cancellationToken)
    {
        if (job.ArchivePorts.Contains(UbuntuAnswers.ReportPort))
        {
            throw new VirtigoException(FailureKind.Usage, $"An archive on port {UbuntuAnswers.ReportPort} cannot be used: the installer's reports are taken there.", "Use another mirror.");
        }

        var receiver = new ReportReceiver(watcher.Take);
        await using GuestGateway gateway = GuestGateway.Listen(
            new GuestGatewayOptions
            {
                SocketPath = Path.Combine(job.SocketFolder, "net"),
                Mtu = Mtu,
                DnsNames = proxy.Hosts,
                TcpPorts = job.ArchivePorts.Append(UbuntuAnswers.ReportPort).ToHashSet(),
            },
            (connection, token) => connection.Local.Port == UbuntuAnswers.ReportPort
                ? receiver.ServeAsync(connection.Stream, token)
                : proxy.ServeAsync(connection.Stream, token));
        await using IGuest guest = await hypervisor.StartAsync(Guest(job, gateway.SocketPath, mediumPath, seedPath), cancellationToken);
        Task<bool> marker = DebianInstall.FindAsync(guest.OpenSerial(LogPort), job.Marker!, cancellationToken);
        try
        {
            if (await watcher.WatchAsync(guest.OpenSerial(LogPort), guest.OpenSerial(ScreenPort), cancellationToken) is { } failure)
            {
                throw failure.ToException();
            }

            GuestExit exit = await guest.Exited.WaitAsync(cancellationToken);
            if (exit.Reason != GuestExitReason.GuestShutdown || !await marker)
            {
                throw Unproven(exit);
            }
        }
        finally
        {
            await guest.KillAsync(CancellationToken.None);
            await ((Task)marker).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private VirtigoException Unproven(GuestExit exit) => GuestWatch.Unproven(exit, watcher.Explain(), DebianInstall.ScreenName);

    private static GuestConfig Guest(InstallJob job, string networkSocket, string mediumPath, string seedPath) => new()
    {
        Name = job.Name,
        WorkDirectory = job.SocketFolder,
        Cpus = 1,
        MemoryMiB = job.MemoryMiB,
        Firmware = job.Firmware,
        Accelerator = job.Accelerator,
        Disks =
        [
            new GuestDisk(job.DiskPath, DiskFormat.Qcow2) { Unsafe = true },
            new GuestDisk(seedPath, DiskFormat.Raw) { ReadOnly = true },
            new GuestDisk(mediumPath, DiskFormat.Raw) { ReadOnly = true, IsDisc = true },
        ],
        Kernel = new KernelBoot(job.KernelPath, job.InitrdPath, job.CommandLine),
        Nics = [new GuestNic(networkSocket) { Mtu = Mtu }],
        Serials =
        [
            new GuestSerial(ScreenPort) { LogFile = Path.Combine(job.LogFolder, DebianInstall.ScreenName) },
            new GuestSerial(LogPort) { LogFile = Path.Combine(job.LogFolder, DebianInstall.SyslogName) },
        ],
    };
}
