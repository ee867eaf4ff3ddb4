using Virtigo.Appliances;

namespace Virtigo.Cli.Output;

/// <summary>A step of a build as it is shown.</summary>
internal sealed class ShownStage(string name, TimeSpan began)
{
    public string Name => name;

    public TimeSpan Began => began;

    public double? Fraction { get; set; }

    public string? Detail { get; set; }

    public TimeSpan? Took { get; set; }
}

/// <summary>What a build's events add up to.</summary>
internal sealed class BuildState
{
    private readonly List<ShownStage> _stages = [];
    private readonly List<string> _notes = [];

    public IReadOnlyList<ShownStage> Stages => _stages;

    public IReadOnlyList<string> Notes => _notes;

    public BuildEstimate? Estimate { get; private set; }

    /// <summary>Takes in an event.</summary>
    /// <param name="happened">The event.</param>
    /// <param name="elapsed">The time since the build began.</param>
    public void Apply(BuildEvent happened, TimeSpan elapsed)
    {
        switch (happened)
        {
            case StageStarted started:
                _stages.Add(new ShownStage(started.Stage, elapsed));
                break;
            case StageProgress progress when Running(progress.Stage) is { } stage:
                (stage.Fraction, stage.Detail) = (progress.Fraction, progress.Detail);
                break;
            case StageFinished finished when Running(finished.Stage) is { } stage:
                stage.Took = finished.Elapsed;
                break;
            case BuildEstimate estimate:
                Estimate = estimate;
                break;
            case BuildNote note:
                _notes.Add(note.Text);
                break;
        }
    }

    private ShownStage? Running(string name) => _stages.FindLast(stage => stage.Name == name && stage.Took is null);
}
