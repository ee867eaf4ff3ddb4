using System.Text.Json;
using Virtigo.Appliances;

namespace Virtigo.Cli.Output;

/// <summary>One JSON object a line for each event, on standard output.</summary>
internal sealed class JsonBuildDisplay(TextWriter output, TimeProvider clock) : IBuildDisplay
{
    private readonly Lock _lock = new();
    private readonly long _start = clock.GetTimestamp();

    /// <summary>The appliance, where several are built.</summary>
    public string? Appliance { get; init; }

    /// <summary>The hypervisor that it is for, where there are several.</summary>
    public string? Hypervisor { get; init; }

    public void Report(BuildEvent value)
    {
        lock (_lock)
        {
            double at = Seconds(clock.GetElapsedTime(_start));
            BuildLine? line = value switch
            {
                StageStarted started => new BuildLine("started", at, started.Stage),
                StageProgress progress => new BuildLine("progress", at, progress.Stage, progress.Fraction, progress.Detail),
                StageFinished finished => new BuildLine("finished", at, finished.Stage, Took: Seconds(finished.Elapsed)),
                BuildEstimate estimate => new BuildLine("estimate", at, Fraction: estimate.Fraction, Remaining: Seconds(estimate.Remaining)),
                BuildNote note => new BuildLine("note", at, Detail: note.Text),
                _ => null,
            };
            if (line is not null)
            {
                output.WriteLine(JsonSerializer.Serialize(line with { Appliance = Appliance, Hypervisor = Hypervisor }, CliJson.Compact.BuildLine));
                output.Flush();
            }
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 3);
}
