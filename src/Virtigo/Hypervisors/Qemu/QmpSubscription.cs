using System.Threading.Channels;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>Every event from the moment of subscribing, in order. Dispose it when no longer read.</summary>
internal sealed class QmpSubscription : IDisposable
{
    /// <summary>How many unread events are kept; a reader that falls further behind is told so.</summary>
    public const int Limit = 4096;

    private readonly Channel<QmpEvent> _events = Channel.CreateBounded<QmpEvent>(new BoundedChannelOptions(Limit) { SingleReader = true });
    private readonly Action<QmpSubscription> _dispose;

    internal QmpSubscription(Action<QmpSubscription> dispose) => _dispose = dispose;

    /// <summary>Reads the events until the connection ends.</summary>
    /// <exception cref="InvalidOperationException">The reader fell behind and events were lost.</exception>
    public IAsyncEnumerable<QmpEvent> ReadAsync(CancellationToken cancellationToken) => _events.Reader.ReadAllAsync(cancellationToken);

    /// <summary>Ends the subscription.</summary>
    public void Dispose()
    {
        _dispose(this);
        Complete();
    }

    internal void Post(QmpEvent value)
    {
        if (!_events.Writer.TryWrite(value))
        {
            _events.Writer.TryComplete(new InvalidOperationException($"{Limit} QMP events were not read in time; later ones are lost."));
        }
    }

    internal void Complete() => _events.Writer.TryComplete();
}
