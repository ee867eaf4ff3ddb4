using System.Globalization;
using Virtigo.Appliances;

namespace Virtigo.Cli.Output;

/// <summary>One line for each thing worth knowing, with the time since the build began: for logs and CI.</summary>
internal sealed class PlainBuildDisplay(TextWriter output, TimeProvider clock, string? among = null) : IBuildDisplay
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(30);
    private readonly Lock _lock = new();
    private readonly long _start = clock.GetTimestamp();
    private TimeSpan _lastLine;

    public void Report(BuildEvent value)
    {
        lock (_lock)
        {
            TimeSpan now = clock.GetElapsedTime(_start);
            switch (value)
            {
                case StageStarted started:
                    Write(now, started.Stage);
                    break;
                case StageProgress progress when now - _lastLine >= s_quiet:
                    Write(now, $"{progress.Stage}{Percent(progress.Fraction)}{(progress.Detail is { } detail ? ": " + Text.Plain(detail) : "")}");
                    break;
                case StageFinished finished:
                    Write(now, $"{finished.Stage}: done in {Words.Time(finished.Elapsed)}");
                    break;
                case BuildEstimate estimate when now - _lastLine >= s_quiet:
                    Write(now, $"{Percent(estimate.Fraction).TrimStart()} of the build, about {Words.Time(estimate.Remaining)} to go");
                    break;
                case BuildNote note:
                    Write(now, "note: " + Text.Plain(note.Text));
                    break;
            }
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string Percent(double? fraction) =>
        fraction is { } part ? string.Create(CultureInfo.InvariantCulture, $" {Math.Floor(part * 100)} %") : "";

    private void Write(TimeSpan now, string text)
    {
        _lastLine = now;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{(int)now.TotalMinutes:00}:{now.Seconds:00}] {(among is null ? "" : among + ": ")}{text}"));
        output.Flush();
    }
}
