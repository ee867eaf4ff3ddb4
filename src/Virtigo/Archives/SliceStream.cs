using Virtigo.Host;

namespace Virtigo.Archives;

/// <summary>A read-only stretch of a seekable stream, which stays open.</summary>
internal sealed class SliceStream(Stream whole, long offset, long length) : ForwardStream
{
    private long _position;

    public override long Length => length;

    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        int count = (int)Math.Min(buffer.Length, length - _position);
        if (count == 0)
        {
            return 0;
        }

        whole.Seek(offset + _position, SeekOrigin.Begin);
        int read = whole.Read(buffer[..count]);
        _position += read;
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
}
