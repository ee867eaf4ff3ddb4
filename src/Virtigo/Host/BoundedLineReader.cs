namespace Virtigo.Host;

/// <summary>Reads lines of bytes from a peer that is not trusted to end them.</summary>
/// <param name="stream">What to read; not disposed.</param>
/// <param name="limit">The longest line, in bytes, without its end.</param>
internal sealed class BoundedLineReader(Stream stream, int limit)
{
    private byte[] _buffer = new byte[4096];
    private int _start;
    private int _end;
    private bool _skipping;

    /// <summary>Reads the next line.</summary>
    /// <returns>The line without its end (LF or CR LF), valid until the next call; null at the end of the stream.</returns>
    /// <exception cref="InvalidDataException">The line is too long. The next call begins after its end.</exception>
    /// <exception cref="IOException">The stream broke.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        int searched = _start;
        while (true)
        {
            int newline = _buffer.AsSpan(searched, _end - searched).IndexOf((byte)'\n');
            if (newline >= 0)
            {
                int end = searched + newline;
                ReadOnlyMemory<byte> line = _buffer.AsMemory(_start, end - _start);
                _start = end + 1;
                if (_skipping)
                {
                    _skipping = false;
                    searched = _start;
                    continue;
                }

                line = line.Span is [.., (byte)'\r'] ? line[..^1] : line;
                return line.Length <= limit ? line : throw TooLong();
            }

            if (_skipping)
            {
                _start = _end;
            }
            else if (_end - _start > limit + 1)
            {
                (_start, _skipping) = (_end, true);
                throw TooLong();
            }

            MakeRoom();
            searched = _end;
            int read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
            if (read == 0)
            {
                ReadOnlyMemory<byte> rest = _buffer.AsMemory(_start, _end - _start);
                _start = _end;
                if (rest.Length == 0 || _skipping)
                {
                    return null;
                }

                return rest.Length <= limit ? rest : throw TooLong();
            }

            _end += read;
        }
    }

    private InvalidDataException TooLong() => new($"a line of more than {limit} bytes");

    private void MakeRoom()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, (int)Math.Min(limit + 4096L, _buffer.Length * 2L));
        }
    }
}
