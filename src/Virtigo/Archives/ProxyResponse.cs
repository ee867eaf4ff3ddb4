using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Archives;

/// <summary>Writes the answers of one connection.</summary>
internal sealed class ProxyResponse(Stream connection, TimeProvider clock, Action<long>? onSent = null)
{
    private const int ChunkSize = 256 * 1024;

    private bool _hasBegun;

    /// <summary>
    /// Keeps a client waiting: the first call commits to the whole file with status 200, each one adds a header line, which every
    /// client's time-out counts as progress. (An interim answer, status 100, is the standard's way, but apt refuses it.)
    /// </summary>
    public async Task SendPatienceAsync(ProxyRequest request, CancellationToken cancellationToken)
    {
        const string line = "X-Fetching: please wait\r\n";
        string text = _hasBegun ? line : Head(200, request.Closes) + line;
        _hasBegun = true;
        await connection.WriteAsync(Encoding.ASCII.GetBytes(text), cancellationToken);
        await connection.FlushAsync(cancellationToken);
    }

    /// <summary>Sends an error with a line of text.</summary>
    /// <exception cref="IOException">Success was promised already: the connection must be reset.</exception>
    public async Task SendErrorAsync(int status, string message, bool isHead, bool closes, CancellationToken cancellationToken)
    {
        if (_hasBegun)
        {
            throw new IOException($"An answer that had begun cannot be completed: {message}");
        }

        byte[] body = Encoding.UTF8.GetBytes(message + "\n");
        StringBuilder head = Head(status, closes).Append("Content-Type: text/plain; charset=utf-8\r\n");
        if (status == 405)
        {
            head.Append("Allow: GET, HEAD\r\n");
        }

        await WriteHeadAsync(head, body.Length, cancellationToken);
        await connection.WriteAsync(isHead ? default(ReadOnlyMemory<byte>) : body, cancellationToken);
        await connection.FlushAsync(cancellationToken);
    }

    /// <summary>Sends bytes, whole.</summary>
    public async Task SendBytesAsync(ProxyRequest request, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await WriteHeadAsync(Head(200, request.Closes).Append("Content-Type: application/octet-stream\r\n"), content.Length, cancellationToken);
        await connection.WriteAsync(request.Method == "HEAD" ? default : content, cancellationToken);
        await connection.FlushAsync(cancellationToken);
    }

    /// <summary>Sends a file, or what the request's conditions and range leave of it.</summary>
    /// <returns>The status sent, and the file's size.</returns>
    /// <exception cref="VirtigoException">The file's content is not what it was (<see cref="FailureKind.Trust"/>); the end was withheld.</exception>
    public async Task<(int Status, long Size)> SendFileAsync(ProxyRequest request, ProxyFile file, CancellationToken cancellationToken)
    {
        await using var content = new FileStream(file.Path, new FileStreamOptions { Options = FileOptions.Asynchronous, BufferSize = 0 });
        long size = content.Length;
        var range = ProxyRange.Of(request, file, size);
        StringBuilder head = (_hasBegun ? new StringBuilder(300) : Head(range.Status, request.Closes)).Append(CultureInfo.InvariantCulture, $"Last-Modified: {file.Modified:r}\r\nETag: {ProxyRange.TagOf(file)}\r\nAccept-Ranges: bytes\r\n");
        _hasBegun = false;
        switch (range.Status)
        {
            case 304:
                head.Append("\r\n");
                await connection.WriteAsync(Encoding.ASCII.GetBytes(head.ToString()), cancellationToken);
                break;
            case 416:
                head.Append(CultureInfo.InvariantCulture, $"Content-Range: bytes */{size}\r\n");
                await WriteHeadAsync(head, 0, cancellationToken);
                break;
            case 206:
                head.Append(CultureInfo.InvariantCulture, $"Content-Range: bytes {range.Start}-{range.Start + range.Length - 1}/{size}\r\n");
                goto default;
            default:
                await WriteHeadAsync(head.Append("Content-Type: application/octet-stream\r\n"), range.Length, cancellationToken);
                if (request.Method == "GET")
                {
                    onSent?.Invoke(range.Length);
                    await SendContentAsync(content, file, range, cancellationToken);
                }

                break;
        }

        await connection.FlushAsync(cancellationToken);
        return (range.Status, size);
    }

    /// <summary>Hashes the whole file while its range is sent; the last bytes only leave once the hash is right.</summary>
    private async Task SendContentAsync(FileStream content, ProxyFile file, ProxyRange range, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var reading = new byte[ChunkSize];
        var held = new byte[ChunkSize];
        ReadOnlyMemory<byte> waiting = default;
        long position = 0;
        int count;
        while ((count = await content.ReadAsync(reading, cancellationToken)) > 0)
        {
            hash.AppendData(reading, 0, count);
            long from = Math.Max(range.Start, position);
            long to = Math.Min(range.Start + range.Length, position + count);
            if (from < to)
            {
                await connection.WriteAsync(waiting, cancellationToken);
                waiting = reading.AsMemory((int)(from - position), (int)(to - from));
                (reading, held) = (held, reading);
            }

            position += count;
        }

        if (Convert.ToHexStringLower(hash.GetHashAndReset()) != file.Sha256)
        {
            throw new VirtigoException(FailureKind.Trust,
                $"The cached file '{file.Path}' was damaged after it had been verified; it was removed.", "Try again: it is fetched anew.");
        }

        await connection.WriteAsync(waiting, cancellationToken);
    }

    private StringBuilder Head(int status, bool closes) => new StringBuilder(300).Append(CultureInfo.InvariantCulture,
        $"HTTP/1.1 {status} {Reason(status)}\r\nDate: {clock.GetUtcNow():r}\r\nConnection: {(closes ? "close" : "keep-alive")}\r\n");

    private async Task WriteHeadAsync(StringBuilder head, long length, CancellationToken cancellationToken) =>
        await connection.WriteAsync(Encoding.ASCII.GetBytes(
            head.Append(CultureInfo.InvariantCulture, $"Content-Length: {length}\r\n\r\n").ToString()), cancellationToken);

    private static string Reason(int status) => status switch
    {
        200 => "OK",
        206 => "Partial Content",
        304 => "Not Modified",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        _ => ((HttpStatusCode)status).ToString(),
    };
}
