namespace Virtigo.Testing;

/// <summary>A time limit that can stand still while a person looks around.</summary>
internal sealed class PausableLimit : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly TimeProvider _clock;
    private TimeSpan _left;
    private long _since;

    /// <summary>Begins to count.</summary>
    public PausableLimit(TimeSpan limit, TimeProvider clock) =>
        (_left, _clock, _since, _source) = (limit, clock, clock.GetTimestamp(), new CancellationTokenSource(limit, clock));

    /// <summary>Cancelled when the limit has passed.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Stops counting until the answer is disposed.</summary>
    public IDisposable Pause()
    {
        TimeSpan left = _left - _clock.GetElapsedTime(_since);
        _left = left > TimeSpan.Zero ? left : TimeSpan.Zero;
        _source.CancelAfter(Timeout.InfiniteTimeSpan);
        return new Resumption(this);
    }

    public void Dispose() => _source.Dispose();

    private sealed class Resumption(PausableLimit limit) : IDisposable
    {
        public void Dispose()
        {
            limit._since = limit._clock.GetTimestamp();
            limit._source.CancelAfter(limit._left);
        }
    }
}
