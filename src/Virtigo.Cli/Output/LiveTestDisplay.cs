using System.Threading.Channels;
using Spectre.Console;
using Virtigo.Testing;

namespace Virtigo.Cli.Output;

/// <summary>Redraws the state of a run on a terminal, a few times a second.</summary>
internal sealed class LiveTestDisplay : ITestDisplay
{
    private static readonly TimeSpan s_frame = TimeSpan.FromMilliseconds(250);
    private readonly Channel<TestEvent> _events = Channel.CreateUnbounded<TestEvent>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TestState _state = new();
    private readonly TimeProvider _clock;
    private readonly long _start;
    private readonly Task _drawing;

    public LiveTestDisplay(TextWriter output, bool colour, TimeProvider clock)
    {
        (_clock, _start) = (clock, clock.GetTimestamp());
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(output),
            Ansi = AnsiSupport.Yes,
            ColorSystem = colour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.Yes,
        });
        _drawing = DrawAsync(console);
    }

    public void Report(TestEvent value) => _events.Writer.TryWrite(value);

    /// <summary>Draws the last state, which stays on the terminal.</summary>
    public async ValueTask DisposeAsync()
    {
        _events.Writer.TryComplete();
        await _drawing;
    }

    private async Task DrawAsync(IAnsiConsole console)
    {
        await Task.Yield();
        await console.Live(View(console, ended: false)).AutoClear(false).Overflow(VerticalOverflow.Crop).Cropping(VerticalOverflowCropping.Top)
            .StartAsync(async live =>
            {
                bool more = true;
                while (more)
                {
                    more = await TakeInAsync();
                    live.UpdateTarget(View(console, ended: !more));
                }
            });
    }

    /// <summary>Takes in what happened within one frame. False: nothing more will happen.</summary>
    private async Task<bool> TakeInAsync()
    {
        using var frame = new CancellationTokenSource(s_frame, _clock);
        try
        {
            while (await _events.Reader.WaitToReadAsync(frame.Token))
            {
                while (_events.Reader.TryRead(out TestEvent? happened))
                {
                    _state.Apply(happened, _clock.GetElapsedTime(_start));
                }
            }

            return false;
        }
        catch (OperationCanceledException)
        {
            return true;
        }
    }

    private Spectre.Console.Rendering.IRenderable View(IAnsiConsole console, bool ended) =>
        TestView.Draw(_state, _clock.GetElapsedTime(_start), console.Profile.Width, ended);
}
