using Virtigo.Environments;

namespace Virtigo.Cli.Output;

/// <summary>One line on a terminal about a copy that takes more than a moment: what, how much, how fast. It is gone at the end.</summary>
internal sealed class CopyDisplay : IProgress<CopyProgress>, IDisposable
{
    private static readonly TimeSpan s_moment = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_frame = TimeSpan.FromMilliseconds(250);
    private readonly TextWriter _output;
    private readonly TimeProvider _clock;
    private readonly ITimer _timer;
    private readonly Lock _gate = new();
    private CopyProgress? _now;
    private CopyPlace? _source;
    private long _start;
    private bool _drawn;

    public CopyDisplay(TextWriter output, TimeProvider clock)
    {
        (_output, _clock) = (output, clock);
        _timer = clock.CreateTimer(_ => Draw(), null, s_frame, s_frame);
    }

    public void Report(CopyProgress value)
    {
        lock (_gate)
        {
            if (_source != value.Source)
            {
                (_source, _start) = (value.Source, _clock.GetTimestamp());
            }

            _now = value;
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        lock (_gate)
        {
            _now = null;
            if (_drawn)
            {
                _output.Write("\r\e[K");
                _output.Flush();
            }
        }
    }

    private void Draw()
    {
        lock (_gate)
        {
            TimeSpan elapsed = _clock.GetElapsedTime(_start);
            if (_now is not { } now || elapsed < s_moment)
            {
                return;
            }

            string numbers = $"  {Words.Size(now.Bytes)}, {Words.Size((long)(now.Bytes / elapsed.TotalSeconds))}/s, {Words.Time(elapsed)}";
            string name = Text.Plain(now.Source.ToString());
            int room = Math.Max(10, Terminal.Size().Columns - numbers.Length - 1);
            _output.Write($"\r\e[K{(name.Length > room ? "…" + name[^(room - 1)..] : name)}{numbers}");
            _output.Flush();
            _drawn = true;
        }
    }
}
