using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Virtigo.Cli.Output;

/// <summary>Draws the state of a build: a line for each step, the last of them alive, and one for the whole.</summary>
internal static class BuildView
{
    private const int MaxFinished = 14;
    private const int MaxNotes = 3;
    private const int BarWidth = 24;
    private const int NameWidth = 28;
    private const string Spinner = "|/-\\";

    /// <summary>Draws the state at one moment.</summary>
    /// <param name="state">The state.</param>
    /// <param name="elapsed">The time since the build began.</param>
    /// <param name="width">The terminal's width in columns.</param>
    /// <param name="ended">Nothing more will happen: what is to come is left out.</param>
    public static IRenderable Draw(BuildState state, TimeSpan elapsed, int width, bool ended = false)
    {
        var lines = new List<(string Text, Style Style)>();
        ShownStage[] finished = [.. state.Stages.Where(stage => stage.Took is not null)];
        lines.AddRange(finished.TakeLast(MaxFinished).Select(stage => (Finished(stage), new Style(Color.Green))));
        lines.AddRange(state.Stages.Where(stage => stage.Took is null).Select(stage => (Running(stage, elapsed), Style.Plain)));
        lines.AddRange(state.Notes.TakeLast(MaxNotes).Select(note => ("  note: " + Text.Plain(note), new Style(Color.Grey))));
        if (!ended)
        {
            lines.Add((Whole(state, elapsed), new Style(decoration: Decoration.Bold)));
        }

        return new Rows(lines.Select(line => new Spectre.Console.Text(Cut(line.Text, width), line.Style)));
    }

    private static string Finished(ShownStage stage) => $"  {Text.Plain(stage.Name).PadRight(NameWidth)}  {Words.Time(stage.Took!.Value)}";

    private static string Running(ShownStage stage, TimeSpan elapsed)
    {
        char turn = Spinner[(int)(elapsed.TotalMilliseconds / 250) % Spinner.Length];
        string part = stage.Fraction is { } fraction ? $"  {Percent(fraction)}" : "";
        string detail = stage.Detail is { } text ? "  " + Text.Plain(text) : "";
        return $"{turn} {Text.Plain(stage.Name).PadRight(NameWidth)}  {Words.Time(elapsed - stage.Began)}{part}{detail}";
    }

    private static string Whole(BuildState state, TimeSpan elapsed)
    {
        if (state.Estimate is not { } estimate)
        {
            return $"  {Words.Time(elapsed)} so far";
        }

        int full = (int)(Math.Clamp(estimate.Fraction, 0, 1) * BarWidth);
        return $"  [{new string('#', full)}{new string('.', BarWidth - full)}] {Percent(estimate.Fraction)}  {Words.Time(elapsed)} so far, "
            + $"about {Words.Time(estimate.Remaining)} to go";
    }

    private static string Percent(double fraction) => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(fraction * 100),3} %");

    private static string Cut(string line, int width) => line.Length < width ? line : line[..Math.Max(0, width - 2)] + "…";
}
