using System.Threading.Channels;
using Spectre.Console;

namespace Virtigo.Cli.Output;

/// <summary>Redraws the state of something long on a terminal, a few times a second.</summary>
/// <typeparam name="TEvent">What happens to it.</typeparam>
internal abstract class LiveDisplay<TEvent> : IProgress<TEvent>, IAsyncDisposable
{
    private static readonly TimeSpan s_frame = TimeSpan.FromMilliseconds(250);
    private readonly Channel<TEvent> _events = Channel.CreateUnbounded<TEvent>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TimeProvider _clock;
    private readonly long _start;
    private readonly Task _drawing;

    protected LiveDisplay(TextWriter output, bool colour, TimeProvider clock)
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

    public void Report(TEvent value) => _events.Writer.TryWrite(value);

    /// <summary>Draws the last state, which stays on the terminal.</summary>
    public async ValueTask DisposeAsync()
    {
        _events.Writer.TryComplete();
        await _drawing;
    }

    /// <summary>Takes in an event.</summary>
    /// <param name="happened">The event.</param>
    /// <param name="elapsed">The time since the beginning.</param>
    protected abstract void Apply(TEvent happened, TimeSpan elapsed);

    /// <summary>Draws the state at one moment.</summary>
    /// <param name="elapsed">The time since the beginning.</param>
    /// <param name="width">The terminal's width in columns.</param>
    /// <param name="ended">Nothing more will happen.</param>
    protected abstract Spectre.Console.Rendering.IRenderable Draw(TimeSpan elapsed, int width, bool ended);

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
                while (_events.Reader.TryRead(out TEvent? happened))
                {
                    Apply(happened, _clock.GetElapsedTime(_start));
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
        Draw(_clock.GetElapsedTime(_start), console.Profile.Width, ended);
}
