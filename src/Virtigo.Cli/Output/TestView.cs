using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;
using Virtigo.Testing;

namespace Virtigo.Cli.Output;

/// <summary>Draws the state of a run: a line for each test that ended, and under each that runs its machines and its last steps.</summary>
internal static class TestView
{
    private const int MaxEnded = 20;
    private const int MaxRunning = 6;
    private const int MaxSteps = 4;
    private const int MaxNotes = 3;
    private const int TitleWidth = 44;
    private const string Spinner = "|/-\\";

    /// <summary>Draws the state at one moment.</summary>
    /// <param name="state">The state.</param>
    /// <param name="elapsed">The time since the run began.</param>
    /// <param name="width">The terminal's width in columns.</param>
    /// <param name="ended">Nothing more will happen.</param>
    public static IRenderable Draw(TestState state, TimeSpan elapsed, int width, bool ended = false)
    {
        var lines = new List<(string Text, Style Style)>();
        lines.AddRange(state.Tests.Where(test => test.Result is not null).TakeLast(ended ? int.MaxValue : MaxEnded).Select(test => Ended(test.Result!)));
        foreach (ShownTest test in state.Tests.Where(test => test.Result is null).Take(MaxRunning))
        {
            lines.AddRange(Running(test, elapsed));
        }

        lines.AddRange(state.Notes.TakeLast(MaxNotes).Select(note => ("  note: " + Text.Plain(note), new Style(Color.Grey))));
        if (!ended)
        {
            string failed = state.Failed > 0 ? string.Create(CultureInfo.InvariantCulture, $", {state.Failed} failed") : "";
            lines.Add((string.Create(CultureInfo.InvariantCulture, $"  {state.Ended} of {state.Total} tests{failed}  {Words.Time(elapsed)} so far"),
                new Style(decoration: Decoration.Bold)));
        }

        return new Rows(lines.Select(line => new Spectre.Console.Text(Cut(line.Text, width), line.Style)));
    }

    /// <summary>The mark of an outcome, for a terminal and for a log.</summary>
    public static string Mark(TestOutcome outcome) => outcome switch
    {
        TestOutcome.Passed => "ok",
        TestOutcome.Failed => "FAILED",
        TestOutcome.Flaky => "flaky",
        TestOutcome.Quarantined => "quarantined",
        _ => "not run",
    };

    private static (string, Style) Ended(TestResult result)
    {
        Color colour = result.Outcome switch
        {
            TestOutcome.Passed => Color.Green,
            TestOutcome.Failed => Color.Red,
            TestOutcome.Skipped => Color.Grey,
            _ => Color.Yellow,
        };
        string note = result.Note is { } text ? "  " + Text.Plain(text) : "";
        string time = result.Attempts.Count > 0 ? Words.Time(result.Elapsed) : "-";
        string mark = result.Outcome == TestOutcome.Passed ? "" : "  " + Mark(result.Outcome);
        return ($"  {Text.Plain(result.Title).PadRight(TitleWidth)}  {time}{mark}{note}", new Style(colour));
    }

    private static IEnumerable<(string, Style)> Running(ShownTest test, TimeSpan elapsed)
    {
        char turn = Spinner[(int)(elapsed.TotalMilliseconds / 250) % Spinner.Length];
        string attempt = test.Attempt > 1 ? string.Create(CultureInfo.InvariantCulture, $"  attempt {test.Attempt}") : "";
        string state = test.PausedAt is { } place ? $"  paused at {Text.Plain(place)}" : test.Forked ? "" : "  waits for its fork";
        yield return ($"{turn} {Text.Plain(test.Title).PadRight(TitleWidth)}  {Words.Time(elapsed - test.Began)}{attempt}{state}", Style.Plain);
        if (test.Machines.Count > 0)
        {
            yield return ("    machines: " + Text.Plain(string.Join(", ", test.Machines)), new Style(Color.Grey));
        }

        foreach (ShownStep step in test.Steps.TakeLast(MaxSteps))
        {
            yield return step.Report is { } report
                ? ($"      {Text.Plain(step.Title)}  {Words.Time(report.Elapsed)}", new Style(report.Outcome == StepOutcome.Passed ? Color.Green : Color.Red))
                : ($"    {turn} {Text.Plain(step.Title)}  {Words.Time(elapsed - step.Began)}", Style.Plain);
        }
    }

    private static string Cut(string line, int width) => line.Length < width ? line : line[..Math.Max(0, width - 2)] + "…";
}
