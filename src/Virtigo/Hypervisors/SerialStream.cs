using System.IO.Pipelines;
using Virtigo.Host;

namespace Virtigo.Hypervisors;

/// <summary>One reader's view of a serial port, and the way to the guest's input.</summary>
internal sealed class SerialStream(PipeReader reader, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write) : ForwardStream
{
    private readonly Stream _output = reader.AsStream();
    private volatile bool _disposed;

    public override bool CanWrite => true;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await _output.ReadAsync(buffer, cancellationToken);
        }
        catch (Exception error) when (_disposed && !cancellationToken.IsCancellationRequested
            && error is InvalidOperationException or OperationCanceledException)
        {
            // What a pipe says when it was given up while somebody waited for it.
            throw new ObjectDisposedException(nameof(SerialStream));
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => _output.Read(buffer, offset, count);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => write(buffer, cancellationToken);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        write(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("Use WriteAsync: a guest that does not read its input holds the writer up.");

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _disposed = true;
            reader.CancelPendingRead();
            _output.Dispose();
        }

        base.Dispose(disposing);
    }
}
