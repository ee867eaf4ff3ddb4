using System.Collections.Concurrent;
using Virtigo.Environments.Steps;

namespace Virtigo.Testing;

/// <summary>Runs the tests of a file, each in a fork of its own, in the order of the file.</summary>
/// <param name="file">The tests.</param>
/// <param name="options">How they are run.</param>
/// <param name="fork">Makes a fork; it waits until the host has the memory for one.</param>
/// <param name="hooks">What a person may do.</param>
/// <param name="clock">The clock.</param>
/// <param name="progress">Is told what happens, from any thread.</param>
internal sealed class TestRunner(
    TestFile file,
    TestOptions options,
    Func<ForkRequest, CancellationToken, Task<ITestFork>> fork,
    TestHooks hooks,
    TimeProvider clock,
    IProgress<TestEvent>? progress)
{
    private const int MostNews = 100;
    private readonly ConcurrentDictionary<string, bool> _told = [];

    /// <summary>Runs them.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when no test fits the filters.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    public async Task<TestReport> RunAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<TestCase> tests = options.ProveIsolation ? [Isolation(), .. file.Select(options.Filters)] : file.Select(options.Filters);
        ulong seed = options.Seed ?? file.Seed ?? TestSeeds.New();
        int parallel = options.Parallel ?? Environment.ProcessorCount;
        (TestCase Test, int Repetition)[] instances =
            [.. Enumerable.Range(1, options.Repeat).SelectMany(repetition => tests.Select(test => (test, repetition)))];
        var results = new TestResult[instances.Length];
        (DateTimeOffset started, long start) = (clock.GetUtcNow(), clock.GetTimestamp());
        progress?.Report(new TestRunStarted(instances.Length, Math.Min(parallel, instances.Length), seed));

        using var total = new CancellationTokenSource(Scale(options.TotalLimit ?? file.TotalLimit) ?? Timeout.InfiniteTimeSpan, clock);
        using var failFast = new CancellationTokenSource();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(total.Token, failFast.Token, cancellationToken);
        var folders = new TestFolders(tests);
        await Parallel.ForEachAsync(Enumerable.Range(0, instances.Length),
            new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancellationToken },
            async (index, _) =>
            {
                (TestCase test, int repetition) = instances[index];
                results[index] = await RunTestAsync(test, repetition, seed, folders, end.Token, cancellationToken);
                progress?.Report(new TestEnded(results[index]));
                if (options.FailFast && results[index].Outcome == TestOutcome.Failed)
                {
                    await failFast.CancelAsync();
                }
            });

        return new TestReport(file.Path, started, clock.GetElapsedTime(start), seed, results)
        {
            TimedOut = total.IsCancellationRequested,
            Properties = Properties(results),
            Ended = results.All(result => result.Outcome != TestOutcome.Skipped) ? null : WhyEnded(total.IsCancellationRequested),
        };
    }

    private async Task<TestResult> RunTestAsync(
        TestCase test, int repetition, ulong runSeed, TestFolders folders, CancellationToken end, CancellationToken cancellationToken)
    {
        string title = TestResult.TitleOf(test.Name, repetition, options.Repeat);
        var attempts = new List<TestAttempt>();
        bool skipped = end.IsCancellationRequested;
        for (int number = 1; number <= options.Rerun + 1 && !skipped && (attempts is [] or [.., { Failure: not null }]); number++)
        {
            progress?.Report(new TestStarted(title, number));
            ulong seed = TestSeeds.OfAttempt(runSeed, repetition, number);
            string? folder = options.ArtifactsFolder is { } artifacts
                ? Path.GetFullPath(Path.Combine(artifacts, folders.Of(test.Name, repetition, options.Repeat, number))) : null;
            var run = new TestAttemptRun(test, title, number, seed, folder, file, options, fork, hooks, clock, progress)
            {
                // An earlier attempt that is not the last is not worth keeping; a later one may still fail.
                MayKeep = number == options.Rerun + 1,
                LookInside = LookInside(test, seed),
                IsNews = text => _told.Count < MostNews && _told.TryAdd(text, true),
            };
            if (await run.RunAsync(end) is { } attempt)
            {
                attempts.Add(attempt);
            }
            else
            {
                cancellationToken.ThrowIfCancellationRequested();
                skipped = true;
            }
        }

        (TestOutcome outcome, string? note) = Outcome(test, attempts, skipped);
        ulong reported = (attempts.FindLast(attempt => attempt.Failure is not null) ?? attempts.LastOrDefault())?.Seed ?? TestSeeds.OfAttempt(runSeed, repetition, 1);
        return new TestResult(test.Name, test.Line, repetition, outcome, reported, attempts) { Repetitions = options.Repeat, Note = note };
    }

    private (TestOutcome, string?) Outcome(TestCase test, List<TestAttempt> attempts, bool skipped)
    {
        var today = DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime);
        bool failed = attempts.LastOrDefault()?.Failure is not null;
        if (skipped && !failed)
        {
            return (TestOutcome.Skipped, "the run ended first");
        }

        if (failed)
        {
            return test.Quarantine switch
            {
                { } quarantine when quarantine.Until >= today => (TestOutcome.Quarantined, FormattableString.Invariant($"quarantined until {quarantine.Until:yyyy-MM-dd}: {quarantine.Reason}")),
                { } over => (TestOutcome.Failed, FormattableString.Invariant($"its quarantine ended on {over.Until:yyyy-MM-dd}: mend the test, or give a new day and reason")),
                null => (TestOutcome.Failed, null),
            };
        }

        return attempts.Count > 1 ? (TestOutcome.Flaky, FormattableString.Invariant($"passed in attempt {attempts.Count}, failed before"))
            : (TestOutcome.Passed, test.Quarantine is null ? null : "it passes: its quarantine may not be needed any more");
    }

    /// <summary>The command that makes this very attempt again and leaves its machines running when it fails.</summary>
    private string LookInside(TestCase test, ulong seed) => Host.ShellQuote.Command("virtigo",
        ["test", file.Path, "--filter", test.Name, "--seed", seed.ToString(System.Globalization.CultureInfo.InvariantCulture),
            .. options.Hypervisor is { } hypervisor ? ["--hypervisor", hypervisor] : Array.Empty<string>(), "--keep-on-failure"]);

    private TestCase Isolation()
    {
        var step = IsolationStep.For(file.Path, file.Machines, isOpen: options.Opened.Count > 0);
        return new TestCase(step.Title, step.Place.Line, [step]);
    }

    private Dictionary<string, string> Properties(TestResult[] results)
    {
        Dictionary<string, string> properties = [];
        if (options.Hypervisor is { } hypervisor)
        {
            properties["hypervisor"] = hypervisor;
        }

        if (options.ProveIsolation)
        {
            properties["isolation"] = Proven(results[0]);
        }

        return properties;
    }

    private string Proven(TestResult isolation) => isolation.Outcome == TestOutcome.Passed
        ? options.Opened.Count == 0 ? "proven: in this run, no machine reached the host or the internet, while machines reached each other"
            : $"proven: in this run, no machine reached the host or the internet, except for what egress opens ({string.Join("; ", options.Opened)}), while machines reached each other"
        : "not proven: " + (isolation.Failure?.Message ?? isolation.Note ?? isolation.Outcome.ToString());

    private TimeSpan? Scale(TimeSpan? limit) => limit is { } written && options.Speed.Scale(written) is var scaled ? scaled > written ? scaled : written : null;

    private static string WhyEnded(bool timedOut) => timedOut ? "the time for all tests passed" : "a test failed, and --fail-fast was given";
}
