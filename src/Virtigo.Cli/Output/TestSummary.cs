using System.Globalization;
using Virtigo.Testing;

namespace Virtigo.Cli.Output;

/// <summary>What is said at the end of a run: every failure in full, then the numbers.</summary>
internal static class TestSummary
{
    /// <summary>Writes it and answers the exit code.</summary>
    /// <param name="run">The run.</param>
    /// <param name="report">What became of the tests.</param>
    /// <param name="flakyFails">Whether a flaky test fails the run.</param>
    /// <param name="hypervisor">What ran them, where several hypervisors do; else null.</param>
    public static int Write(Invocation run, TestReport report, bool flakyFails, string? hypervisor = null)
    {
        FailureKind? verdict = report.Verdict(flakyFails);
        foreach (TestResult result in report.Results)
        {
            if (result.Outcome is TestOutcome.Failed or TestOutcome.Flaky or TestOutcome.Quarantined
                && result.Attempts.LastOrDefault(attempt => attempt.Failure is not null) is { } attempt)
            {
                run.People("");
                run.People(Line(run.Mode, result));
                run.People("  " + Text.Printable(attempt.FailureAsText.TrimEnd()).ReplaceLineEndings("\n  "));
                if (attempt.ArtifactsFolder is { } folder)
                {
                    run.People("  kept in " + Text.Plain(folder));
                }
            }
        }

        if (run.Mode.Json)
        {
            JsonTestDisplay.Write(run.Host.Data, new TestLine("done", Math.Round(report.Elapsed.TotalSeconds, 3))
            {
                Message = report.Summary,
                Outcome = verdict is null ? "passed" : "failed",
                Tests = report.Results.Count,
                Seed = report.Seed,
                Hypervisor = hypervisor,
            });
        }

        run.People("");
        if (report.Ended is { } ended)
        {
            run.People($"Not all tests were run: {ended}.");
        }

        string seed = verdict is null ? "" : string.Create(CultureInfo.InvariantCulture, $", seed {report.Seed}");
        run.People($"{Coloured(run.Mode, verdict is null ? "32;1" : "31;1", report.Summary)} in {Words.Time(report.Elapsed)}{(hypervisor is null ? "" : " under " + hypervisor)}{seed}");
        return verdict is { } kind ? (int)kind : 0;
    }

    private static string Line(OutputMode mode, TestResult result)
    {
        string colour = result.Outcome == TestOutcome.Failed ? "31;1" : "33;1";
        string note = result.Note is { } text ? " (" + Text.Plain(text) + ")" : "";
        return $"{Coloured(mode, colour, TestView.Mark(result.Outcome) + ":")} {Text.Plain(result.Title)}{note}";
    }

    private static string Coloured(OutputMode mode, string colour, string text) => mode.Colour ? $"\e[{colour}m{text}\e[0m" : text;
}
