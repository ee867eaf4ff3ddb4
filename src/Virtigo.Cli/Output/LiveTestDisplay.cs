using Spectre.Console.Rendering;
using Virtigo.Testing;

namespace Virtigo.Cli.Output;

/// <summary>Redraws the state of a run of tests on a terminal, a few times a second.</summary>
internal sealed class LiveTestDisplay(TextWriter output, bool colour, TimeProvider clock) : LiveDisplay<TestEvent>(output, colour, clock), ITestDisplay
{
    // Made before the base begins to draw: fields are, constructors are not.
    private readonly TestState _state = new();

    protected override void Apply(TestEvent happened, TimeSpan elapsed) => _state.Apply(happened, elapsed);

    protected override IRenderable Draw(TimeSpan elapsed, int width, bool ended) => TestView.Draw(_state, elapsed, width, ended);
}
