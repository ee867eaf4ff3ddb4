using Microsoft.Extensions.Time.Testing;
using Spectre.Console;
using Virtigo.Appliances;
using Virtigo.Cli.Output;
using Xunit;

namespace Virtigo.Tests.Cli;

public sealed class BuildDisplayTests
{
    private readonly FakeTimeProvider _clock = new();

    private void Happen(IProgress<BuildEvent> display)
    {
        display.Report(new StageStarted("archives"));
        _clock.Advance(TimeSpan.FromSeconds(3));
        display.Report(new StageFinished("archives", TimeSpan.FromSeconds(3)));
        display.Report(new BuildNote("KVM does not work here;\u001b[31m TCG is used"));
        display.Report(new StageStarted("base system"));
        display.Report(new StageProgress("base system", 0.1, "unpacking libc6"));
        _clock.Advance(TimeSpan.FromSeconds(70));
        display.Report(new StageProgress("base system", 0.419, "unpacking perl"));
        display.Report(new BuildEstimate(0.25, TimeSpan.FromSeconds(73), TimeSpan.FromSeconds(219)));
    }

    [Fact]
    public async Task Plain_lines_tell_steps_notes_and_now_and_then_progress()
    {
        var text = new StringWriter();
        await using (var display = new PlainBuildDisplay(text, _clock))
        {
            Happen(display);
        }

        Assert.Equal(
            """
            [00:00] archives
            [00:03] archives: done in 3.0 s
            [00:03] note: KVM does not work here; [31m TCG is used
            [00:03] base system
            [01:13] base system 41 %: unpacking perl

            """,
            text.ToString());
    }

    [Fact]
    public async Task Json_lines_tell_every_event()
    {
        var text = new StringWriter();
        await using (var display = new JsonBuildDisplay(text, _clock))
        {
            Happen(display);
        }

        Assert.Equal(
            """
            {"event":"started","at":0,"stage":"archives"}
            {"event":"finished","at":3,"stage":"archives","took":3}
            {"event":"note","at":3,"detail":"KVM does not work here;\u001B[31m TCG is used"}
            {"event":"started","at":3,"stage":"base system"}
            {"event":"progress","at":3,"stage":"base system","fraction":0.1,"detail":"unpacking libc6"}
            {"event":"progress","at":73,"stage":"base system","fraction":0.419,"detail":"unpacking perl"}
            {"event":"estimate","at":73,"fraction":0.25,"remaining":219}

            """,
            text.ToString());
    }

    [Fact]
    public void The_live_view_has_a_line_for_each_step_and_one_for_the_whole()
    {
        var state = new BuildState();
        long start = _clock.GetTimestamp();
        Happen(new Sink(happened => state.Apply(happened, _clock.GetElapsedTime(start))));
        Assert.Equal(
            """
              archives                      3.0 s
            / base system                   1 m 10 s   41 %  unpacking perl
              note: KVM does not work here; [31m TCG is used
              [######..................]  25 %  1 m 13 s so far, about 3 m 39 s to go

            """,
            Drawn(state, TimeSpan.FromSeconds(73.25), 80));
    }

    [Fact]
    public void The_live_view_fits_a_narrow_terminal()
    {
        var state = new BuildState();
        Happen(new Sink(happened => state.Apply(happened, TimeSpan.Zero)));
        Assert.All(Drawn(state, TimeSpan.FromSeconds(73), 30).Split('\n'), line => Assert.InRange(line.Length, 0, 29));
    }

    [Fact]
    public async Task The_live_display_leaves_the_last_state_on_the_terminal()
    {
        var text = new StringWriter();
        await using (var display = new LiveBuildDisplay(text, colour: false, TimeProvider.System))
        {
            display.Report(new StageStarted("archives"));
            display.Report(new StageFinished("archives", TimeSpan.FromSeconds(3)));
        }

        Assert.Contains("archives                      3.0 s", text.ToString());
    }

    private static string Drawn(BuildState state, TimeSpan elapsed, int width)
    {
        var text = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(text),
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
        });
        console.Profile.Width = width;
        console.Write(BuildView.Draw(state, elapsed, width));
        return string.Join('\n', text.ToString().Split('\n').Select(line => line.TrimEnd()));
    }

    private sealed class Sink(Action<BuildEvent> take) : IProgress<BuildEvent>
    {
        public void Report(BuildEvent value) => take(value);
    }
}
