using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Virtigo.Machines;

namespace Virtigo.Profiles;

/// <summary>Compares a guest's clock with the host's: the guest is asked for its time again and again, over one connection.</summary>
/// <param name="run">Runs commands in the guest.</param>
/// <param name="clock">The host's clock.</param>
/// <param name="streams">Whether a command can be given input while it runs; else each question is a command of its own.</param>
internal sealed class ClockMeter(GuestCommand run, TimeProvider clock, bool streams = true)
{
    private const int LongestAnswer = 64;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    // bash knows the time without starting a program for it.
    private const string Ask = """
        if command -v bash >/dev/null; then exec bash -c 'while IFS= read -r _; do echo "$EPOCHREALTIME"; done'; fi
        while IFS= read -r _; do date +%s.%N; done
        """;

    /// <summary>Compares.</summary>
    /// <param name="time">For how long.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">The guest gives no time (<see cref="FailureKind.Guest"/>).</exception>
    public async Task<ClockMeasurement> MeasureAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        if (!streams)
        {
            return ClockMeasurement.Of(await SampleByCommandsAsync(time, cancellationToken))!;
        }

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var questions = new Pipe();
        var answers = new Answers(clock);
        var options = new CommandOptions
        {
            InputStream = questions.Reader.AsStream(),
            OnOutput = answers.Take,
            OutputLimit = LongestAnswer,
            Limit = time + TimeSpan.FromMinutes(2),
        };
        Task<CommandResult> asking = run(Ask, options, ending.Token);
        try
        {
            IReadOnlyList<ClockSample> samples = await SampleAsync(questions.Writer, answers, asking, time, ending.Token);
            await questions.Writer.CompleteAsync();
            await asking.WaitAsync(s_patience, clock, cancellationToken);
            return ClockMeasurement.Of(samples)!;
        }
        finally
        {
            await ending.CancelAsync();
            await questions.Writer.CompleteAsync();
            await ((Task)asking).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The time that a guest wrote, in seconds; null when it is none.</summary>
    internal static double? Parse(string line)
    {
        const double latest = 1e11;
        return decimal.TryParse(line.Trim().Replace(',', '.'), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal seconds) && seconds < (decimal)latest
            ? (double)seconds
            : null;
    }

    private async Task<IReadOnlyList<ClockSample>> SampleAsync(
        PipeWriter questions, Answers answers, Task<CommandResult> asking, TimeSpan time, CancellationToken cancellationToken)
    {
        var samples = new List<ClockSample>();
        byte[] question = "\n"u8.ToArray();
        long start = clock.GetTimestamp();
        double epoch = Seconds(clock.GetUtcNow());
        do
        {
            if (samples.Count > 0)
            {
                await Task.Delay(s_pause, clock, cancellationToken);
            }

            // In this order: a guest that speaks without being asked is not heard before it was asked either.
            long asked = clock.GetTimestamp();
            Task<(string Line, long At)> next = answers.NextAsync();
            await questions.WriteAsync(question, cancellationToken);
            Task first = await Task.WhenAny(next, asking).WaitAsync(s_patience, clock, cancellationToken);
            if (first == asking && !next.IsCompleted)
            {
                CommandResult ended = await asking;
                throw Silent($"its shell ended with {ended.ExitCode}");
            }

            (string line, long at) = await next;
            double there = clock.GetElapsedTime(start, asked).TotalSeconds;
            double back = clock.GetElapsedTime(start, at).TotalSeconds;
            double guest = Parse(line) ?? throw Silent("what it says is no time");
            samples.Add(new ClockSample((there + back) / 2, guest - (epoch + ((there + back) / 2)), (back - there) / 2));
        }
        while (clock.GetElapsedTime(start) < time);
        return samples;
    }

    private async Task<IReadOnlyList<ClockSample>> SampleByCommandsAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        var samples = new List<ClockSample>();
        var options = new CommandOptions { OutputLimit = LongestAnswer, Limit = s_patience };
        long start = clock.GetTimestamp();
        double epoch = Seconds(clock.GetUtcNow());
        do
        {
            double there = clock.GetElapsedTime(start).TotalSeconds;
            CommandResult said = await run("date +%s.%N", options, cancellationToken);
            double back = clock.GetElapsedTime(start).TotalSeconds;
            double guest = said.Succeeded && Parse(said.Output) is { } seconds ? seconds : throw Silent(said.Succeeded ? "what it says is no time" : $"date ended with {said.ExitCode}");
            samples.Add(new ClockSample((there + back) / 2, guest - (epoch + ((there + back) / 2)), (back - there) / 2));
            await Task.Delay(s_pause, clock, cancellationToken);
        }
        while (clock.GetElapsedTime(start) < time);
        return samples;
    }

    private static double Seconds(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).TotalSeconds;

    private static VirtigoException Silent(string why) => new(FailureKind.Guest, $"The guest's clock cannot be read: {why}.", "Look at the machine: virtigo shell MACHINE -- date");

    /// <summary>The lines of the guest's, each with the moment it came.</summary>
    private sealed class Answers(TimeProvider clock)
    {
        private readonly Lock _gate = new();
        private readonly StringBuilder _line = new();
        private TaskCompletionSource<(string Line, long At)> _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>The next line; asked for before the question.</summary>
        public Task<(string Line, long At)> NextAsync()
        {
            lock (_gate)
            {
                _next = new TaskCompletionSource<(string, long)>(TaskCreationOptions.RunContinuationsAsynchronously);
                _line.Clear();
                return _next.Task;
            }
        }

        /// <summary>Takes what comes.</summary>
        public void Take(ReadOnlyMemory<byte> bytes, bool isError)
        {
            if (isError)
            {
                return;
            }

            lock (_gate)
            {
                long at = clock.GetTimestamp();
                foreach (byte one in bytes.Span)
                {
                    if (one == '\n')
                    {
                        _next.TrySetResult((_line.ToString(), at));
                        _line.Clear();
                    }
                    else if (_line.Length < LongestAnswer)
                    {
                        _line.Append((char)one);
                    }
                }
            }
        }
    }
}
