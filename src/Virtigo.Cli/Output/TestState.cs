using Virtigo.Testing;

namespace Virtigo.Cli.Output;

/// <summary>A step of a running test as it is shown.</summary>
internal sealed class ShownStep(StepStarted started, TimeSpan began)
{
    public int Number => started.Number;

    public string Title => started.Title;

    public TimeSpan Began => began;

    public StepReport? Report { get; set; }
}

/// <summary>A test as it is shown.</summary>
internal sealed class ShownTest(string title, int attempt, TimeSpan began)
{
    private readonly List<ShownStep> _steps = [];

    public string Title => title;

    public int Attempt => attempt;

    public TimeSpan Began => began;

    public IReadOnlyList<string> Machines { get; set; } = [];

    public bool Forked { get; set; }

    public string? PausedAt { get; set; }

    public List<ShownStep> Steps => _steps;

    public TestResult? Result { get; set; }
}

/// <summary>What a run's events add up to.</summary>
internal sealed class TestState
{
    private readonly List<ShownTest> _tests = [];
    private readonly List<string> _notes = [];

    public IReadOnlyList<ShownTest> Tests => _tests;

    public IReadOnlyList<string> Notes => _notes;

    public int Total { get; private set; }

    public int Ended { get; private set; }

    public int Failed { get; private set; }

    /// <summary>Takes in an event.</summary>
    /// <param name="happened">The event.</param>
    /// <param name="elapsed">The time since the run began.</param>
    public void Apply(TestEvent happened, TimeSpan elapsed)
    {
        switch (happened)
        {
            case TestRunStarted run:
                Total = run.Tests;
                break;
            case TestStarted started:
                _tests.RemoveAll(test => test.Title == started.Test && test.Result is null);
                _tests.Add(new ShownTest(started.Test, started.Attempt, elapsed));
                break;
            case TestForked forked when Running(forked.Test) is { } test:
                (test.Forked, test.Machines) = (true, forked.Machines);
                break;
            case StepStarted step when Running(step.Test) is { } test:
                test.Steps.Add(new ShownStep(step, elapsed));
                break;
            case StepEnded step when Running(step.Test) is { } test:
                test.PausedAt = null;
                test.Steps.FindLast(shown => shown.Number == step.Step.Number)?.Report = step.Step;
                break;
            case TestPaused paused when Running(paused.Test) is { } test:
                test.PausedAt = paused.Place;
                break;
            case TestEnded ended:
                End(ended.Result, elapsed);
                break;
            case TestNote note:
                _notes.Add(note.Text);
                break;
        }
    }

    private void End(TestResult result, TimeSpan elapsed)
    {
        Ended++;
        Failed += result.Outcome == TestOutcome.Failed ? 1 : 0;
        if (Running(result.Title) is { } test)
        {
            test.Result = result;
        }
        else
        {
            _tests.Add(new ShownTest(result.Title, 1, elapsed) { Result = result });
        }
    }

    private ShownTest? Running(string title) => _tests.FindLast(test => test.Title == title && test.Result is null);
}
