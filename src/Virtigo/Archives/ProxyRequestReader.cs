namespace Virtigo.Archives;

/// <summary>Reads the heads of requests off a connection, one after another; what follows a head stays for the next.</summary>
internal sealed class ProxyRequestReader(Stream connection)
{
    /// <summary>The most bytes a request's head may have.</summary>
    public const int MaxHead = 16 * 1024;

    private readonly byte[] _buffer = new byte[MaxHead];
    private int _filled;

    /// <summary>Waits for the next request.</summary>
    /// <returns>The request, or null when the client has closed.</returns>
    /// <exception cref="ProxyRequestException">The request is malformed or too long.</exception>
    public async Task<ProxyRequest?> ReadAsync(CancellationToken cancellationToken)
    {
        int searched = 0;
        while (true)
        {
            SkipEmptyLines();
            int end = _buffer.AsSpan(searched, _filled - searched).IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                end += searched;
                try
                {
                    return ProxyRequest.Parse(_buffer.AsSpan(0, end));
                }
                finally
                {
                    Remove(end + 4);
                }
            }

            if (_filled == _buffer.Length)
            {
                throw new ProxyRequestException(431, $"The request's head is longer than {MaxHead} bytes.");
            }

            searched = Math.Max(0, _filled - 3);
            int count = await connection.ReadAsync(_buffer.AsMemory(_filled), cancellationToken);
            if (count == 0)
            {
                return _filled == 0 ? null : throw new ProxyRequestException(400, "The request ends within its head.");
            }

            _filled += count;
        }
    }

    private void SkipEmptyLines()
    {
        int empty = 0;
        while (_filled - empty >= 2 && _buffer[empty] == '\r' && _buffer[empty + 1] == '\n')
        {
            empty += 2;
        }

        Remove(empty);
    }

    private void Remove(int count)
    {
        _buffer.AsSpan(count, _filled - count).CopyTo(_buffer);
        _filled -= count;
    }
}
