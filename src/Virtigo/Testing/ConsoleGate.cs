using System.Text.RegularExpressions;

namespace Virtigo.Testing;

/// <summary>A console line that tells of trouble.</summary>
/// <param name="Machine">Whose console it is.</param>
/// <param name="Trouble">What it tells of.</param>
/// <param name="Line">The line.</param>
internal sealed record ConsoleTrouble(string Machine, string Trouble, string Line);

/// <summary>Watches the consoles of machines for lines that tell of trouble. A machine that is switched on again is watched again.</summary>
internal sealed partial class ConsoleGate : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_settle = TimeSpan.FromMilliseconds(30);
    private const int MostMoments = 30;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<ConsoleTrouble> _tripped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Regex[] _allowed;
    private readonly TimeProvider _clock;
    private readonly Task _watching;
    private int _looking;

    /// <summary>Begins to watch.</summary>
    /// <param name="machines">The machines.</param>
    /// <param name="open">Opens a machine's console; null while it is off.</param>
    /// <param name="allowed">Regular expressions of lines that are no trouble.</param>
    /// <param name="clock">The clock.</param>
    public ConsoleGate(IReadOnlyList<string> machines, Func<string, Stream?> open, IReadOnlyList<string> allowed, TimeProvider clock)
    {
        _allowed = [.. allowed.Select(pattern => new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking))];
        _clock = clock;
        _watching = Task.WhenAll(machines.Select(machine => Task.Run(() => WatchAsync(machine, open))));
    }

    /// <summary>Completes with the first trouble; never otherwise.</summary>
    public Task<ConsoleTrouble> Tripped => _tripped.Task;

    /// <summary>What a line tells of, or null.</summary>
    public static string? TroubleIn(string line) =>
        Panic().IsMatch(line) ? "a kernel panic"
        : Bug().IsMatch(line) && !line.Contains("lockup", StringComparison.Ordinal) ? "a bug in the kernel"
        : Oops().IsMatch(line) ? "a kernel oops"
        : OutOfMemory().IsMatch(line) ? "a process killed for want of memory"
        : HungTask().IsMatch(line) ? "a task that hangs"
        : OrderingCycle().IsMatch(line) ? "units that wait for each other"
        : Segfault().IsMatch(line) ? "a crashed program"
        : null;

    /// <summary>Waits a moment for what the guests said last to arrive, and to be looked at.</summary>
    public async Task SettleAsync(CancellationToken cancellationToken)
    {
        // A guest that never stops talking does not hold its test up.
        for (int moment = 0; moment == 0 || (moment < MostMoments && Volatile.Read(ref _looking) > 0 && !Tripped.IsCompleted); moment++)
        {
            await Task.WhenAny(Tripped, Task.Delay(s_settle, _clock, cancellationToken));
        }
    }

    /// <summary>Takes a line into account.</summary>
    internal void Hear(string machine, string line)
    {
        if (TroubleIn(line) is { } trouble && !_allowed.Any(allowed => allowed.IsMatch(line)))
        {
            _tripped.TrySetResult(new ConsoleTrouble(machine, trouble, line.Trim()));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task WatchAsync(string machine, Func<string, Stream?> open)
    {
        while (true)
        {
            try
            {
                if (open(machine) is { } console)
                {
                    await using (console)
                    {
                        await ReadAsync(machine, console);
                    }
                }
            }
            catch (Exception gone) when (gone is IOException or ObjectDisposedException or VirtigoException or ArgumentException)
            {
                // The machine went off at this moment; its next console is opened when it is on again.
            }

            await Task.Delay(s_pause, _clock, _stop.Token);
        }
    }

    private async Task ReadAsync(string machine, Stream console)
    {
        byte[] buffer = new byte[32 << 10];
        var lines = new ConsoleLines();
        for (int read; (read = await console.ReadAsync(buffer, _stop.Token)) > 0;)
        {
            Interlocked.Increment(ref _looking);
            lines.Feed(buffer.AsSpan(0, read), line => Hear(machine, line));
            Interlocked.Decrement(ref _looking);
        }

        lines.Finish(line => Hear(machine, line));
    }

    private const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;

    [GeneratedRegex("Kernel panic - not syncing", Options)]
    private static partial Regex Panic();

    [GeneratedRegex(@"kernel BUG at |\bBUG: ", Options)]
    private static partial Regex Bug();

    [GeneratedRegex(@"\bOops: .{1,200}\[#[0-9]{1,4}\]|Unable to handle kernel |Internal error: Oops", Options)]
    private static partial Regex Oops();

    [GeneratedRegex(@"Out of memory: Kill|invoked oom-killer|\boom-kill:", Options)]
    private static partial Regex OutOfMemory();

    [GeneratedRegex(@"INFO: task [^ ]{1,64} blocked for more than [0-9]{1,9} seconds", Options)]
    private static partial Regex HungTask();

    [GeneratedRegex("Found ordering cycle|Breaking ordering cycle", Options)]
    private static partial Regex OrderingCycle();

    [GeneratedRegex(@"segfault at [0-9a-f]{1,16} ip |\btraps: .{1,64} (trap|general protection)", Options)]
    private static partial Regex Segfault();
}
