using System.IO.Pipelines;
using Virtigo.Host;

namespace Virtigo.Machines;

/// <summary>One direction of a stream, from the guest: what was received and not read, never more than the window.</summary>
internal sealed class GuestReceiver : ForwardStream
{
    private const int CreditStep = GuestFrame.Window / 4;
    private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0, useSynchronizationContext: false));
    private readonly Lock _gate = new();
    private readonly Stream _reading;
    private readonly Action<int> _credit;
    private int _granted = GuestFrame.Window;
    private int _owed;
    private bool _forgotten;
    private bool _ended;

    /// <summary>Makes one.</summary>
    /// <param name="credit">Grants the guest so many bytes more.</param>
    public GuestReceiver(Action<int> credit)
    {
        _credit = credit;
        _reading = _pipe.Reader.AsStream();
    }

    /// <summary>Takes what the guest sent.</summary>
    /// <returns>False when it was more than was granted, or came after the end.</returns>
    public bool Receive(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            if (bytes.Length > _granted || (_ended && !_forgotten))
            {
                return false;
            }

            _granted -= bytes.Length;
            if (!_forgotten)
            {
                // Readers go on in the thread pool, not here.
                bytes.CopyTo(_pipe.Writer.GetSpan(bytes.Length));
                _pipe.Writer.Advance(bytes.Length);
                _ = _pipe.Writer.FlushAsync().AsTask();
                return true;
            }
        }

        Return(bytes.Length);
        return true;
    }

    /// <summary>Ends the stream: after what was received, its reader sees the end, or an error.</summary>
    public void End(Exception? error)
    {
        lock (_gate)
        {
            if (!_ended)
            {
                _ended = true;
                _pipe.Writer.Complete(error);
            }
        }
    }

    /// <summary>Ends the stream for its reader; what still comes is taken and thrown away.</summary>
    public void Forget()
    {
        lock (_gate)
        {
            _forgotten = true;
            if (!_ended)
            {
                _ended = true;
                _pipe.Writer.Complete();
            }
        }

        Return(GuestFrame.Window);
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int read = await _reading.ReadAsync(buffer, cancellationToken);
        Return(read);
        return read;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
    {
        int read = _reading.Read(buffer, offset, count);
        Return(read);
        return read;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Forget();
            _reading.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Return(int count)
    {
        int grant;
        lock (_gate)
        {
            _owed = Math.Min(_owed + count, GuestFrame.Window - _granted);
            if (_owed == 0 || (!_forgotten && (_ended || _owed < CreditStep)))
            {
                return;
            }

            grant = _owed;
            _owed = 0;
            _granted += grant;
        }

        _credit(grant);
    }
}
