using System.Buffers;
using System.Globalization;
using System.Text;

namespace Virtigo.Archives;

/// <summary>A request that is answered with an error, in words for the guest's log.</summary>
internal sealed class ProxyRequestException(int status, string message) : Exception(message)
{
    /// <summary>The HTTP status, 4xx or 5xx.</summary>
    public int Status { get; } = status;
}

/// <summary>The head of an HTTP/1 request, as far as an archive's clients need it.</summary>
internal sealed class ProxyRequest
{
    private const int MaxHeaders = 100;
    private static readonly SearchValues<char> TokenCharacters = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    private readonly bool _isHttp10;
    private readonly Dictionary<string, string> _headers = new(StringComparer.OrdinalIgnoreCase);

    private ProxyRequest(string method, bool isHttp10, string host, string path)
    {
        (Method, _isHttp10, Host, Path) = (method, isHttp10, host, path);
    }

    /// <summary>GET or HEAD.</summary>
    public string Method { get; }

    /// <summary>Whether the answer may be another than the whole file.</summary>
    public bool IsConditional => this["Range"] is not null || this["If-Modified-Since"] is not null || this["If-None-Match"] is not null;

    /// <summary>The host asked for, without a port, in lower case.</summary>
    public string Host { get; }

    /// <summary>The decoded path without its first slash; plain and below the root.</summary>
    public string Path { get; }

    /// <summary>The address for people.</summary>
    public string Url => $"http://{Host}/{Path}";

    /// <summary>Whether the connection ends with the answer.</summary>
    public bool Closes => _isHttp10 || (this["Connection"]?.Contains("close", StringComparison.OrdinalIgnoreCase) ?? false);

    /// <summary>A header's value, or null.</summary>
    public string? this[string name] => _headers.GetValueOrDefault(name);

    /// <summary>A header's value as an HTTP date, or null when absent or malformed.</summary>
    public DateTimeOffset? DateOf(string name) =>
        this[name] is { } text && DateTimeOffset.TryParseExact(text, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset date)
            ? date : null;

    /// <summary>Reads a request's head.</summary>
    /// <param name="head">All lines, the empty one that ends them not included.</param>
    /// <exception cref="ProxyRequestException">It is malformed or wants what an archive does not offer.</exception>
    public static ProxyRequest Parse(ReadOnlySpan<byte> head)
    {
        string[] lines = Encoding.Latin1.GetString(head).Split("\r\n");
        string[] parts = lines[0].Split(' ');
        if (parts is not [var method, { Length: > 0 } target, ['H', 'T', 'T', 'P', '/', '1', '.', ('0' or '1') and var minor]])
        {
            throw new ProxyRequestException(400, "This is no HTTP/1 request.");
        }

        Dictionary<string, string> headers = ParseHeaders(lines.AsSpan(1));
        if (method is not ("GET" or "HEAD"))
        {
            throw new ProxyRequestException(405, "Only GET and HEAD are served.");
        }

        if (headers.ContainsKey("Transfer-Encoding") || (headers.TryGetValue("Content-Length", out string? length) && length != "0"))
        {
            throw new ProxyRequestException(400, "A request for a file has no body.");
        }

        (string host, string path) = ParseTarget(target, headers.GetValueOrDefault("Host"));
        var request = new ProxyRequest(method, minor == '0', host, path);
        foreach ((string name, string value) in headers)
        {
            request._headers.Add(name, value);
        }

        return request;
    }

    private static Dictionary<string, string> ParseHeaders(ReadOnlySpan<string> lines)
    {
        if (lines.Length > MaxHeaders)
        {
            throw new ProxyRequestException(431, $"The request has more than {MaxHeaders} header lines.");
        }

        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (string line in lines)
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0 || line.AsSpan(0, colon).ContainsAnyExcept(TokenCharacters))
            {
                throw new ProxyRequestException(400, "The request has a malformed header line.");
            }

            string value = line[(colon + 1)..].Trim(' ', '\t');
            if (value.Any(character => char.IsControl(character) && character != '\t') || !headers.TryAdd(line[..colon], value))
            {
                throw new ProxyRequestException(400, $"The request's header \"{line[..colon]}\" is repeated or malformed.");
            }
        }

        return headers;
    }

    private static (string Host, string Path) ParseTarget(string target, string? hostHeader)
    {
        const string scheme = "http://";
        string authority = hostHeader ?? "";
        if (target.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
        {
            int slash = target.IndexOf('/', scheme.Length);
            authority = slash < 0 ? target[scheme.Length..] : target[scheme.Length..slash];
            target = slash < 0 ? "/" : target[slash..];
        }

        int port = authority.IndexOf(':', StringComparison.Ordinal);
        string host = (port < 0 ? authority : authority[..port]).TrimEnd('.').ToLowerInvariant();
        if (host.Length is 0 or > 253 || host.Any(character => !char.IsAsciiLetterOrDigit(character) && character is not ('.' or '-')))
        {
            throw new ProxyRequestException(400, "The request names no host.");
        }

        if (port >= 0 && authority[(port + 1)..] is not ("" or "80"))
        {
            throw new ProxyRequestException(403, "Only port 80 is served.");
        }

        string path = target[0] == '/' ? Uri.UnescapeDataString(target[1..]) : "";
        bool isFolder = path.EndsWith('/');
        if (target[0] != '/' || target.Contains('?', StringComparison.Ordinal) || target.Contains('#', StringComparison.Ordinal)
            || (path.Length > 0 && !ArchiveUri.IsPlainPath(isFolder ? path[..^1] : path)))
        {
            throw new ProxyRequestException(400, "The request's path is no plain path of an archive's file.");
        }

        return (host, path);
    }
}
