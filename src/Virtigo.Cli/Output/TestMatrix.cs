using Virtigo.Testing;

namespace Virtigo.Cli.Output;

/// <summary>What became of the tests under one hypervisor.</summary>
/// <param name="Hypervisor">The hypervisor.</param>
/// <param name="Report">The tests; null when none was run.</param>
/// <param name="Reason">Why none was run, or null.</param>
/// <param name="Failure">What failed before a test was run; null when nothing did.</param>
internal sealed record MatrixEntry(string Hypervisor, TestReport? Report, string? Reason, FailureKind? Failure);

/// <summary>Tests under every hypervisor that can run them: a line for each hypervisor and test.</summary>
/// <param name="file">The file of the tests.</param>
/// <param name="entries">What became of them.</param>
internal sealed class TestMatrix(string file, IReadOnlyList<MatrixEntry> entries)
{
    /// <summary>One report of all, each test named with its hypervisor.</summary>
    public TestReport Report()
    {
        TestReport[] reports = [.. entries.Select(entry => entry.Report).OfType<TestReport>()];
        if (reports is not [var first, ..])
        {
            throw new VirtigoException(FailureKind.Usage,
                $"{file} can be run by no hypervisor here: {string.Join("; ", entries.Select(entry => $"{entry.Hypervisor}: {entry.Reason}"))}.", "See what each lacks: virtigo doctor");
        }

        return first with
        {
            Elapsed = reports.Aggregate(TimeSpan.Zero, (sum, report) => sum + report.Elapsed),
            Results = [.. entries.Where(entry => entry.Report is not null).SelectMany(entry => entry.Report!.Results.Select(result => result with { Name = $"{result.Name} ({entry.Hypervisor})" }))],
            Ended = reports.Select(report => report.Ended).FirstOrDefault(ended => ended is not null),
            TimedOut = reports.Any(report => report.TimedOut),
            Properties = entries.ToDictionary(entry => "hypervisor " + entry.Hypervisor, entry => entry.Reason ?? entry.Report!.Summary),
        };
    }

    /// <summary>The exit code: that of the first hypervisor under which something failed, tests before all else.</summary>
    /// <param name="flakyFails">Whether a flaky test fails the run.</param>
    public int ExitCode(bool flakyFails)
    {
        FailureKind[] failures = [.. entries.Select(entry => entry.Failure ?? entry.Report?.Verdict(flakyFails)).OfType<FailureKind>()];
        return failures.Contains(FailureKind.Test) ? (int)FailureKind.Test : failures is [var first, ..] ? (int)first : 0;
    }

    /// <summary>Writes the lines, for people as a table.</summary>
    public void Write(Invocation run)
    {
        if (run.Mode.Json)
        {
            foreach (MatrixEntry entry in entries.Where(entry => entry.Report is null))
            {
                JsonTestDisplay.Write(run.Host.Data, new TestLine(entry.Failure is null ? "hypervisor-skipped" : "hypervisor-failed", 0) { Hypervisor = entry.Hypervisor, Message = entry.Reason });
            }

            return;
        }

        Table.Write(run.Host.Data, [["HYPERVISOR", "TEST", "RESULT"], .. Rows()]);
    }

    /// <summary>The lines for people: hypervisor, test, result.</summary>
    internal IEnumerable<IReadOnlyList<string>> Rows() => entries.SelectMany(Rows);

    private static IEnumerable<IReadOnlyList<string>> Rows(MatrixEntry entry) => entry.Report is { } report
        ? report.Results.Select(result => (IReadOnlyList<string>)
            [entry.Hypervisor, Text.Plain(result.Title), result.Attempts.Count > 0 ? $"{TestView.Mark(result.Outcome)}, {Words.Time(result.Elapsed)}" : TestView.Mark(result.Outcome)])
        : [[entry.Hypervisor, "", $"{(entry.Failure is null ? "skipped" : "FAILED")}: {Text.Plain((entry.Reason ?? "").ReplaceLineEndings("; "))}"]];
}
