using Virtigo.Hypervisors;

namespace Virtigo.Installers;

/// <summary>What is the same for every installer that is followed in a guest, whatever the distribution.</summary>
internal static class GuestWatch
{
    /// <summary>Takes what a port of the guest's said.</summary>
    /// <param name="bytes">The bytes.</param>
    public delegate void FeedBytes(ReadOnlySpan<byte> bytes);

    /// <summary>Reads two ports until they end or the install fails, checking once a second.</summary>
    /// <param name="log">The installer's log, and who takes it.</param>
    /// <param name="console">The installer's console, and who takes it.</param>
    /// <param name="check">Looks whether the install has failed.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static async Task UntilFailureAsync(
        (Stream Port, FeedBytes Feed) log, (Stream Port, FeedBytes Feed) console, Func<InstallFailure?> check, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task reading = Task.WhenAll(PumpAsync(log.Port, log.Feed, ending.Token), PumpAsync(console.Port, console.Feed, ending.Token));
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        try
        {
            while (!reading.IsCompleted && check() is null)
            {
                Task<bool> tick = timer.WaitForNextTickAsync(ending.Token).AsTask();
                await Task.WhenAny(tick, reading);
                if (!reading.IsCompleted)
                {
                    await tick;
                }
            }
        }
        finally
        {
            await ending.CancelAsync();
            await reading.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>Why an install whose guest has ended did not succeed.</summary>
    /// <param name="exit">How the guest ended.</param>
    /// <param name="explained">What the installer last said, which explains more than how its machine ended; null when it says nothing.</param>
    /// <param name="log">The file of the report to look at.</param>
    public static VirtigoException Unproven(GuestExit exit, InstallFailure? explained, string log) => exit.Reason switch
    {
        GuestExitReason.HostDiskError => new(FailureKind.Host, $"The host could not store what the guest wrote: {exit.Detail}",
            "Make room on the disk that holds the image store, then build again."),
        _ when explained is not null => explained.ToException(),
        GuestExitReason.GuestShutdown => new(FailureKind.Install,
            "The installer powered off before its last step: its success marker is missing.", $"See {log} in the report."),
        _ => new(FailureKind.Guest, $"The guest ended during the install: {exit.Detail} {exit.ErrorTail}".TrimEnd()),
    };

    private static async Task PumpAsync(Stream stream, FeedBytes feed, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[16 * 1024];
        try
        {
            int count;
            while ((count = await stream.ReadAsync(buffer, cancellationToken)) > 0)
            {
                feed(buffer.AsSpan(0, count));
            }
        }
        catch (IOException)
        {
            // The guest's end of a serial port breaks when the guest goes; the hypervisor says how it went.
        }
    }
}
