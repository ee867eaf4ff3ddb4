using Spectre.Console.Rendering;
using Virtigo.Appliances;

namespace Virtigo.Cli.Output;

/// <summary>Redraws the state of a build on a terminal, a few times a second.</summary>
internal sealed class LiveBuildDisplay(TextWriter output, bool colour, TimeProvider clock) : LiveDisplay<BuildEvent>(output, colour, clock), IBuildDisplay
{
    // Made before the base begins to draw: fields are, constructors are not.
    private readonly BuildState _state = new();

    protected override void Apply(BuildEvent happened, TimeSpan elapsed) => _state.Apply(happened, elapsed);

    protected override IRenderable Draw(TimeSpan elapsed, int width, bool ended) => BuildView.Draw(_state, elapsed, width, ended);
}
