using System.Globalization;
using System.Text;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>How a probe guest fared.</summary>
/// <param name="Time">From its start to its kernel's panic about the missing root file system; null when it did not get there.</param>
/// <param name="Failure">What it did instead, to follow "the probe guest"; null on success.</param>
/// <param name="Command">QEMU's command line, as far as there is one.</param>
internal sealed record ProbeResult(TimeSpan? Time, string? Failure, string Command);

/// <summary>Boots a kernel without any root file system, which must end in the kernel's panic about that.</summary>
internal static class ProbeGuest
{
    private const string Goal = "Kernel panic - not syncing: VFS";
    private static readonly TimeSpan KvmLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan TcgLimit = TimeSpan.FromSeconds(300);

    /// <summary>Runs the guest until the panic or the time limit.</summary>
    public static async Task<ProbeResult> RunAsync(string kernelPath, Accelerator accelerator, HostPaths paths, CancellationToken cancellationToken)
    {
        using var folder = SocketFolder.Create(paths);
        var config = new GuestConfig
        {
            Name = "virtigo-probe",
            WorkDirectory = folder.Path,
            MemoryMiB = 256,

            // A timer that comes late on a busy host is none that does not work: the kernel would panic for it at once, and look fast.
            Kernel = new KernelBoot(kernelPath, null, "console=ttyS0 panic=-1 no_timer_check"),
            Serials = [new GuestSerial("console")],
        };
        try
        {
            long start = TimeProvider.System.GetTimestamp();
            await using QemuGuest guest = await QemuGuest.StartAsync(config, accelerator, cancellationToken);
            TimeSpan limit = accelerator == Accelerator.Kvm ? KvmLimit : TcgLimit;
            string console = await ReadConsoleAsync(guest, limit, cancellationToken);
            TimeSpan time = TimeProvider.System.GetElapsedTime(start);
            if (console.Contains(Goal, StringComparison.Ordinal))
            {
                return new ProbeResult(time, null, "");
            }

            await guest.KillAsync(cancellationToken);
            GuestExit exit = await guest.Exited;
            return new ProbeResult(null, Describe(exit, console, limit), exit.Command);
        }
        catch (VirtigoException error) when (accelerator == Accelerator.Kvm && error.Kind == FailureKind.Host)
        {
            return new ProbeResult(null, "did not run: " + error.Message.Split('\n')[0].Trim(), error.Hint ?? "");
        }
    }

    private static string Describe(GuestExit exit, string console, TimeSpan limit)
    {
        string last = console.Trim().Split('\n')[^1].Trim();
        return exit.Reason == GuestExitReason.Killed
            ? string.Create(CultureInfo.InvariantCulture,
                $"{(last.Length == 0 ? "printed nothing" : $"got no further than '{last}'")} within {limit.TotalSeconds} s")
            : $"ended early: {exit.Detail}";
    }

    private static async Task<string> ReadConsoleAsync(QemuGuest guest, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var time = new CancellationTokenSource(limit, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        await using Stream serial = guest.OpenSerial("console");
        var tail = new ByteTail(4096);
        byte[] buffer = new byte[4096];
        try
        {
            for (int read; (read = await serial.ReadAsync(buffer, either.Token)) > 0;)
            {
                tail.Append(buffer.AsSpan(0, read));
                if (tail.ToArray().AsSpan().IndexOf(Encoding.ASCII.GetBytes(Goal)) >= 0)
                {
                    break;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The time limit: what was printed until now tells how far it got.
        }

        return tail.ToString();
    }
}
