using System.Globalization;
using Virtigo.Testing;

namespace Virtigo.Cli.Output;

/// <summary>One line for each test, with the time since the run began; with more to say, one for each step too. For logs and CI.</summary>
internal sealed class PlainTestDisplay(TextWriter output, bool verbose, TimeProvider clock) : ITestDisplay
{
    private readonly Lock _lock = new();
    private readonly long _start = clock.GetTimestamp();

    public void Report(TestEvent value)
    {
        lock (_lock)
        {
            switch (value)
            {
                case TestRunStarted run:
                    Write(string.Create(CultureInfo.InvariantCulture, $"{run.Tests} tests, {run.Parallel} at once, seed {run.Seed}"));
                    break;
                case TestStarted { Attempt: > 1 } again:
                    Write(string.Create(CultureInfo.InvariantCulture, $"{Text.Plain(again.Test)}: attempt {again.Attempt}"));
                    break;
                case TestForked forked when verbose:
                    Write($"{Text.Plain(forked.Test)}: forked in {Words.Time(forked.Elapsed)}: {Text.Plain(string.Join(", ", forked.Machines))}");
                    break;
                case StepEnded step when verbose:
                    Write($"{Text.Plain(step.Test)}: {Text.Plain(step.Step.Title)}: {(step.Step.Outcome == StepOutcome.Passed ? "ok" : "FAILED")}, {Words.Time(step.Step.Elapsed)}");
                    break;
                case TestPaused paused:
                    Write($"{Text.Plain(paused.Test)}: paused at {Text.Plain(paused.Place)}");
                    break;
                case TestEnded ended:
                    Write(Line(ended.Result));
                    break;
                case TestNote note:
                    Write("note: " + Text.Plain(note.Text));
                    break;
            }
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string Line(TestResult result)
    {
        string time = result.Attempts.Count > 0 ? ", " + Words.Time(result.Elapsed) : "";
        string note = result.Note is { } text ? ": " + Text.Plain(text) : "";
        return $"{Text.Plain(result.Title)}: {TestView.Mark(result.Outcome)}{time}{note}";
    }

    private void Write(string text)
    {
        TimeSpan now = clock.GetElapsedTime(_start);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{(int)now.TotalMinutes:00}:{now.Seconds:00}] {text}"));
        output.Flush();
    }
}
