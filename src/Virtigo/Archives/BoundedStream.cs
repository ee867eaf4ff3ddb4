using Virtigo.Host;

namespace Virtigo.Archives;

/// <summary>Reads another stream up to a number of bytes; one more is an error. It stands between a decompressor and hostile input.</summary>
internal sealed class BoundedStream(Stream inner, long limit, string name) : ForwardStream
{
    private long _position;

    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        int read = inner.Read(buffer, offset, count);
        _position += read;
        return _position <= limit ? read : throw new VirtigoException(FailureKind.Archive,
            $"{name} has more than the {limit} bytes it may have decompressed.");
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
