using Virtigo.Host;

namespace Virtigo.Hypervisors;

/// <summary>Boots a kernel without any root file system, until it panics about that: what guests of a hypervisor take for a boot.</summary>
internal static class PanicProbe
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    /// <summary>Runs the guest.</summary>
    /// <param name="hypervisor">The hypervisor's name.</param>
    /// <param name="guest">The guest, but for its folder.</param>
    /// <param name="paths">Where its folder is made.</param>
    /// <param name="start">Starts it.</param>
    /// <param name="cancellationToken">Ends the probe and its guest.</param>
    /// <returns>How it ended, and how long it took.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it did not get there within two minutes.</exception>
    public static async Task<(GuestExit Exit, TimeSpan Time)> RunAsync(
        string hypervisor, GuestConfig guest, HostPaths paths, Func<GuestConfig, CancellationToken, Task<IGuest>> start, CancellationToken cancellationToken)
    {
        using var folder = SocketFolder.Create(paths);
        long began = TimeProvider.System.GetTimestamp();
        await using IGuest running = await start(guest with { WorkDirectory = folder.Path }, cancellationToken);
        if (await Task.WhenAny(running.Exited, Task.Delay(s_limit, TimeProvider.System, cancellationToken)) != running.Exited)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await running.KillAsync(cancellationToken);
        }

        GuestExit exit = await running.Exited;
        TimeSpan time = TimeProvider.System.GetElapsedTime(began);
        return exit.Reason == GuestExitReason.GuestPanicked && exit.Detail.Contains("VFS", StringComparison.Ordinal) ? (exit, time)
            : throw new VirtigoException(FailureKind.Host, $"No guest of {hypervisor} runs on this host: {exit.Detail}", "Rerun: " + exit.Command);
    }
}
