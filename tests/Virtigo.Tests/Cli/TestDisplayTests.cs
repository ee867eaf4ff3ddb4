using Microsoft.Extensions.Time.Testing;
using Spectre.Console;
using Virtigo.Cli.Output;
using Virtigo.Testing;
using Xunit;
using TestResult = Virtigo.Testing.TestResult;

namespace Virtigo.Tests.Cli;

public sealed class TestDisplayTests
{
    private readonly FakeTimeProvider _clock = new();

    private static TestResult Result(string name, TestOutcome outcome, string? note = null) =>
        new(name, 1, 1, outcome, 7, [new TestAttempt(1, TimeSpan.FromMilliseconds(180), TimeSpan.FromSeconds(2), [],
            outcome == TestOutcome.Passed ? null : new TestFailure("client: exit code 22, expected 0.") { Place = "shop.yml:9:7" })])
        { Note = note };

    private void Happen(IProgress<TestEvent> display)
    {
        display.Report(new TestRunStarted(3, 2, 5));
        display.Report(new TestStarted("serves its page", 1));
        display.Report(new TestForked("serves its page", TimeSpan.FromMilliseconds(180), ["server", "client"]));
        display.Report(new StepStarted("serves its page", 1, "client: curl", ["client"]));
        _clock.Advance(TimeSpan.FromSeconds(2));
        display.Report(new StepEnded("serves its page", new StepReport(1, "client: curl", "shop.yml:9:7", ["client"], StepOutcome.Passed, TimeSpan.FromSeconds(2)) { Output = "hi\u001b[2J" }));
        display.Report(new TestEnded(Result("serves its page", TestOutcome.Passed)));
        display.Report(new TestStarted("power", 1));
        display.Report(new TestNote("something\u001b[31m odd"));
        display.Report(new TestEnded(Result("power", TestOutcome.Failed)));
        display.Report(new TestStarted("link", 2));
        display.Report(new TestForked("link", TimeSpan.FromMilliseconds(180), ["server", "client"]));
        display.Report(new StepStarted("link", 1, "link: loss 5%", []));
    }

    [Fact]
    public async Task Plain_lines_tell_each_test_and_its_outcome()
    {
        var text = new StringWriter();
        await using (var display = new PlainTestDisplay(text, verbose: false, _clock))
        {
            Happen(display);
        }

        Assert.Equal(
            """
            [00:00] 3 tests, 2 at once, seed 5
            [00:02] serves its page: ok, 2.2 s
            [00:02] note: something [31m odd
            [00:02] power: FAILED, 2.2 s
            [00:02] link: attempt 2

            """,
            text.ToString());
    }

    [Fact]
    public async Task With_more_to_say_plain_lines_tell_forks_and_steps()
    {
        var text = new StringWriter();
        await using (var display = new PlainTestDisplay(text, verbose: true, _clock))
        {
            Happen(display);
        }

        Assert.Contains("[00:00] serves its page: forked in 180 ms: server, client\n[00:02] serves its page: client: curl: ok, 2.0 s\n", text.ToString());
    }

    [Fact]
    public async Task Json_lines_tell_every_event()
    {
        var text = new StringWriter();
        await using (var display = new JsonTestDisplay(text, _clock))
        {
            Happen(display);
        }

        string[] lines = text.ToString().Split('\n');
        Assert.Equal("""{"event":"run-started","at":0,"tests":3,"parallel":2,"seed":5}""", lines[0]);
        Assert.Equal("""{"event":"step-started","at":0,"test":"serves its page","number":1,"step":"client: curl","machines":["client"]}""", lines[3]);
        Assert.Equal(
            """{"event":"step-ended","at":2,"test":"serves its page","number":1,"step":"client: curl","place":"shop.yml:9:7","machines":["client"],"outcome":"passed","seconds":2,"output":"hi\u001B[2J","error":""}""",
            lines[4]);
        Assert.Contains("\"outcome\":\"failed\"", lines[8]);
    }

    [Fact]
    public void The_live_view_shows_ended_tests_and_under_running_ones_their_machines_and_steps()
    {
        var state = new TestState();
        Happen(new Progress(state, _clock));
        var text = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(text), Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
        console.Profile.Width = 100;
        console.Write(TestView.Draw(state, TimeSpan.FromSeconds(4), 100));
        string[] lines = [.. text.ToString().Split('\n').Select(line => line.TrimEnd())];
        Assert.Equal(
            [
                "  serves its page                               2.2 s",
                "  power                                         2.2 s  FAILED",
                "| link                                          2.0 s  attempt 2",
                "    machines: server, client",
                "    | link: loss 5%  2.0 s",
                "  note: something [31m odd",
                "  2 of 3 tests, 1 failed  4.0 s so far",
                "",
            ],
            lines);
    }

    private sealed class Progress(TestState state, FakeTimeProvider clock) : IProgress<TestEvent>
    {
        private readonly long _start = clock.GetTimestamp();

        public void Report(TestEvent value) => state.Apply(value, clock.GetElapsedTime(_start));
    }
}
