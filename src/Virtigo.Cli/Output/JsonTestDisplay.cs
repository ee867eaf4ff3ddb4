using System.Text.Json;
using Virtigo.Testing;

namespace Virtigo.Cli.Output;

/// <summary>One JSON object a line for each event, on standard output.</summary>
internal sealed class JsonTestDisplay(TextWriter output, TimeProvider clock, string? hypervisor = null) : ITestDisplay
{
    private readonly Lock _lock = new();
    private readonly long _start = clock.GetTimestamp();

    public void Report(TestEvent value)
    {
        lock (_lock)
        {
            double at = Seconds(clock.GetElapsedTime(_start));
            TestLine? line = value switch
            {
                TestRunStarted run => new TestLine("run-started", at) { Tests = run.Tests, Parallel = run.Parallel, Seed = run.Seed },
                TestStarted test => new TestLine("test-started", at) { Test = test.Test, Attempt = test.Attempt },
                TestForked forked => new TestLine("test-forked", at) { Test = forked.Test, Seconds = Seconds(forked.Elapsed), Machines = forked.Machines },
                StepStarted step => new TestLine("step-started", at) { Test = step.Test, Number = step.Number, Step = step.Title, Machines = step.Machines },
                StepEnded step => Ended(step, at),
                TestPaused paused => new TestLine("test-paused", at) { Test = paused.Test, Place = paused.Place },
                TestEnded ended => Ended(ended.Result, at),
                TestNote note => new TestLine("note", at) { Message = note.Text },
                _ => null,
            };
            if (line is not null)
            {
                Write(output, line with { Hypervisor = hypervisor });
            }
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Writes one line.</summary>
    public static void Write(TextWriter output, TestLine line)
    {
        output.WriteLine(JsonSerializer.Serialize(line, CliJson.Compact.TestLine));
        output.Flush();
    }

    private static TestLine Ended(StepEnded ended, double at) => new("step-ended", at)
    {
        Test = ended.Test,
        Number = ended.Step.Number,
        Step = ended.Step.Title,
        Place = ended.Step.Place,
        Machines = ended.Step.Machines,
        Outcome = ended.Step.Outcome.ToString().ToLowerInvariant(),
        Seconds = Seconds(ended.Step.Elapsed),
        Output = ended.Step.Output,
        Error = ended.Step.Error,
    };

    private static TestLine Ended(TestResult result, double at) => new("test-ended", at)
    {
        Test = result.Title,
        Outcome = result.Outcome.ToString().ToLowerInvariant(),
        Seconds = Seconds(result.Elapsed),
        Seed = result.Seed,
        Attempt = result.Attempts.Count,
        Place = result.Failure?.Place,
        Message = result.Failure?.Message ?? result.Note,
        Artifacts = result.Attempts is [.., var last] ? last.ArtifactsFolder : null,
    };

    private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 3);
}
