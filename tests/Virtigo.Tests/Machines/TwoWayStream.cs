namespace Virtigo.Tests.Machines;

/// <summary>A stream that reads from one and writes to another.</summary>
internal sealed class TwoWayStream(Stream from, Stream to) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count) => from.Read(buffer, offset, count);

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => from.ReadAsync(buffer, cancellationToken);

    public override void Write(byte[] buffer, int offset, int count) => to.Write(buffer, offset, count);

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await to.WriteAsync(buffer, cancellationToken);
        await to.FlushAsync(cancellationToken);
    }

    public override void Flush() => to.Flush();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
