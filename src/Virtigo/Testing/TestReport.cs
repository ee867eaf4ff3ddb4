using System.Globalization;

namespace Virtigo.Testing;

/// <summary>How a step ended.</summary>
public enum StepOutcome
{
    /// <summary>It did what it was to do.</summary>
    Passed,

    /// <summary>It did not, or it was under way when its test failed.</summary>
    Failed,

    /// <summary>An earlier step failed.</summary>
    NotRun,
}

/// <summary>How a test ended.</summary>
public enum TestOutcome
{
    /// <summary>All steps did what they were to do.</summary>
    Passed,

    /// <summary>A step failed, a console told of trouble, or a machine was lost.</summary>
    Failed,

    /// <summary>It failed, and passed when it was run again.</summary>
    Flaky,

    /// <summary>It failed, which does not count at present.</summary>
    Quarantined,

    /// <summary>It was not run to its end: the run ended first.</summary>
    Skipped,
}

/// <summary>What became of one step.</summary>
/// <param name="Number">Its number in the test, from 1.</param>
/// <param name="Title">What a person wrote, on one line.</param>
/// <param name="Place">Where it is written, as <c>file:line:column</c>.</param>
/// <param name="Machines">The machines it is about.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record StepReport(int Number, string Title, string Place, IReadOnlyList<string> Machines, StepOutcome Outcome, TimeSpan Elapsed)
{
    /// <summary>The last 64 KiB of what its command wrote to its standard output.</summary>
    public string Output { get; init; } = "";

    /// <summary>The last 64 KiB of what its command wrote to its standard error.</summary>
    public string Error { get; init; } = "";

    /// <summary>Whether there was more of either.</summary>
    public bool Truncated { get; init; }
}

/// <summary>The last lines of a machine's console.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="Lines">The lines, oldest first.</param>
public sealed record ConsoleExcerpt(string Machine, IReadOnlyList<string> Lines);

/// <summary>Why a test failed.</summary>
/// <param name="Message">What was expected and what happened.</param>
public sealed record TestFailure(string Message)
{
    /// <summary>What to do about it, or null.</summary>
    public string? Hint { get; init; }

    /// <summary>Whether the machines or the host are at fault, so that the test has shown nothing.</summary>
    public bool OfMachine { get; init; }

    /// <summary>The number of the step, from 1; 0 when none had begun.</summary>
    public int Step { get; init; }

    /// <summary>Where that step is written, as <c>file:line:column</c>; of the test when none had begun.</summary>
    public string Place { get; init; } = "";

    /// <summary>The last console lines of the machines involved.</summary>
    public IReadOnlyList<ConsoleExcerpt> Consoles { get; init; } = [];

    /// <summary>What machines had wanted of the world outside by then and were refused, one sentence each, a few at most.</summary>
    public IReadOnlyList<string> Refusals { get; init; } = [];

    /// <summary>The commands that lead to a shell in that state, one a line.</summary>
    public IReadOnlyList<string> ToLookInside { get; init; } = [];
}

/// <summary>One run of a test in a fork of its own.</summary>
/// <param name="Number">Its number, from 1: above 1 it was run again because it had failed.</param>
/// <param name="ForkTime">How long it took until the fork was there.</param>
/// <param name="Elapsed">How long it took after that.</param>
/// <param name="Steps">Its steps, all of them.</param>
/// <param name="Failure">Why it failed; null: it passed.</param>
public sealed record TestAttempt(int Number, TimeSpan ForkTime, TimeSpan Elapsed, IReadOnlyList<StepReport> Steps, TestFailure? Failure)
{
    /// <summary>Where what was drawn in it came from: a run of the test with this seed draws the same.</summary>
    public ulong Seed { get; init; }

    /// <summary>The folder with what was kept of it, or null.</summary>
    public string? ArtifactsFolder { get; init; }

    /// <summary>
    /// The failure as a person reads it, in several lines: what, where, the step's output, the consoles, how to look inside; empty when it passed.
    /// </summary>
    public string FailureAsText => Failure is null ? "" : FailureText.Of(this);
}

/// <summary>What became of a test.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Line">The line it begins in.</param>
/// <param name="Repetition">Which repetition this is, from 1.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Seed">The seed of its last attempt that failed, or of the one that passed: a run of the test with this seed draws the same.</param>
/// <param name="Attempts">Every run of it, the last one last.</param>
public sealed record TestResult(string Name, int Line, int Repetition, TestOutcome Outcome, ulong Seed, IReadOnlyList<TestAttempt> Attempts)
{
    /// <summary>How many repetitions there are in all.</summary>
    public int Repetitions { get; init; } = 1;

    /// <summary>One sentence about the outcome, or null: why it was skipped, its quarantine.</summary>
    public string? Note { get; init; }

    /// <summary>The name, with the number of the repetition when there are several.</summary>
    public string Title => TitleOf(Name, Repetition, Repetitions);

    /// <summary>The time of all attempts, forks included.</summary>
    public TimeSpan Elapsed => Attempts.Aggregate(TimeSpan.Zero, (sum, attempt) => sum + attempt.ForkTime + attempt.Elapsed);

    /// <summary>The last failure; null when every attempt passed or there was none.</summary>
    public TestFailure? Failure => Attempts.LastOrDefault(attempt => attempt.Failure is not null)?.Failure;

    internal static string TitleOf(string name, int repetition, int repetitions) =>
        repetitions > 1 ? string.Create(CultureInfo.InvariantCulture, $"{name} [{repetition}/{repetitions}]") : name;
}

/// <summary>What became of all tests of a run.</summary>
/// <param name="File">The file.</param>
/// <param name="Started">When the run began.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="Seed">Where what was drawn came from.</param>
/// <param name="Results">The tests, in the order in which they were to start.</param>
public sealed record TestReport(string File, DateTimeOffset Started, TimeSpan Elapsed, ulong Seed, IReadOnlyList<TestResult> Results)
{
    /// <summary>Why not all tests were run; null: they were.</summary>
    public string? Ended { get; init; }

    /// <summary>Whether the time for all tests passed.</summary>
    public bool TimedOut { get; init; }

    /// <summary>Facts about the run for the reports, such as the proof of isolation.</summary>
    public IReadOnlyDictionary<string, string> Properties { get; init; } = new Dictionary<string, string>();

    /// <summary>How many tests ended in a way.</summary>
    /// <param name="outcome">The way.</param>
    public int Count(TestOutcome outcome) => Results.Count(result => result.Outcome == outcome);

    /// <summary>The numbers in one line: <c>3 passed, 1 failed, 0 flaky, 0 quarantined</c>.</summary>
    public string Summary
    {
        get
        {
            int skipped = Count(TestOutcome.Skipped);
            string line = string.Create(CultureInfo.InvariantCulture,
                $"{Count(TestOutcome.Passed)} passed, {Count(TestOutcome.Failed)} failed, {Count(TestOutcome.Flaky)} flaky, {Count(TestOutcome.Quarantined)} quarantined");
            return skipped > 0 ? string.Create(CultureInfo.InvariantCulture, $"{line}, {skipped} not run") : line;
        }
    }

    /// <summary>Whether and how the run failed, which is the command's exit code; null: it did not.</summary>
    /// <param name="flakyFails">Whether a flaky test fails the run.</param>
    public FailureKind? Verdict(bool flakyFails)
    {
        TestResult[] failed = [.. Results.Where(result => result.Outcome == TestOutcome.Failed)];
        return failed.Any(result => result.Failure is not { OfMachine: true }) ? FailureKind.Test
            : failed.Length > 0 ? FailureKind.Guest
            : TimedOut ? FailureKind.TimedOut
            : flakyFails && Count(TestOutcome.Flaky) > 0 ? FailureKind.Test
            : null;
    }

    /// <summary>The report as JUnit XML, for CI systems.</summary>
    public string ToJUnit() => JUnitReport.Text(this);

    /// <summary>The report in the Test Anything Protocol, version 14.</summary>
    public string ToTap() => TapReport.Text(this);

    /// <summary>The report as one JSON object.</summary>
    public string ToJson() => TestReportJson.Text(this);
}
