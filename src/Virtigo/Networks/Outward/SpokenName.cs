using System.Buffers;
using System.Text;

namespace Virtigo.Networks;

/// <summary>What the first bytes of a connection say about the host they are for.</summary>
internal enum Speech
{
    /// <summary>More bytes are needed to tell.</summary>
    Incomplete,

    /// <summary>It is another protocol than TLS or HTTP/1.</summary>
    Other,

    /// <summary>It is TLS or HTTP/1 that names no host.</summary>
    Nameless,

    /// <summary>It names a host.</summary>
    Named,

    /// <summary>It looks like TLS or HTTP/1 and is malformed, or says different names.</summary>
    Malformed,
}

/// <summary>What a client says first, read strictly: anything that two programs could understand in two ways is malformed.</summary>
/// <param name="Speech">What it is.</param>
/// <param name="Name">The host's name, in lower case; empty unless it is <see cref="Speech.Named"/>.</param>
internal readonly record struct SpokenName(Speech Speech, string Name = "")
{
    /// <summary>The most bytes that may come until the name is told.</summary>
    public const int MaximumBytes = 16 * 1024;

    private const int LongestMethod = 32;
    private const int MaximumLines = 100;

    // All but the tabulator.
    private static readonly SearchValues<byte> s_controls = SearchValues.Create([.. Enumerable.Range(0, 32).Where(code => code != '\t').Select(code => (byte)code)]);
    private static readonly SearchValues<byte> s_token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);

    /// <summary>Looks at all bytes that a client has sent so far. Any bytes at all are fine.</summary>
    public static SpokenName Read(ReadOnlySpan<byte> bytes) =>
        bytes.IsEmpty ? new SpokenName(Speech.Incomplete)
        : bytes[0] == ClientHello.RecordType ? ClientHello.Read(bytes)
        : ReadHttp(bytes);

    /// <summary>A name as a client said it.</summary>
    public static SpokenName Of(ReadOnlySpan<byte> text) =>
        !Ascii.IsValid(text) || HostName.Read(Encoding.ASCII.GetString(text)) is not { } name ? new SpokenName(Speech.Malformed) : new SpokenName(Speech.Named, name);

    /// <summary>Reads the head of a request. What only some servers take for one is malformed, and what none does is another protocol.</summary>
    private static SpokenName ReadHttp(ReadOnlySpan<byte> bytes)
    {
        // Some servers skip what is empty before a request.
        int start = bytes.IndexOfAnyExcept("\r\n \t"u8);
        if (start < 0)
        {
            return new SpokenName(Speech.Incomplete);
        }

        ReadOnlySpan<byte> line = bytes[start..];
        int end = line.IndexOfAny(s_controls);
        int method = line.IndexOfAny((byte)' ', (byte)'\t');
        if (method < 0 && end < 0 && line.Length <= LongestMethod && !line.ContainsAnyExcept(s_token))
        {
            return new SpokenName(Speech.Incomplete);
        }

        if (method is <= 0 or > LongestMethod || (end >= 0 && end < method) || line[..method].ContainsAnyExcept(s_token))
        {
            return new SpokenName(Speech.Other);
        }

        if (end < 0)
        {
            return new SpokenName(Speech.Incomplete);
        }

        ReadOnlySpan<byte> request = line[..end];
        if (!IsLikeRequest(request))
        {
            return new SpokenName(Speech.Other);
        }

        if (start > 0 || line[end] != '\r' || line[method] != ' ' || !request[..^1].EndsWith(" HTTP/1."u8))
        {
            return new SpokenName(Speech.Malformed);
        }

        int head = bytes.IndexOf("\r\n\r\n"u8);
        return head >= 0 ? ReadHead(bytes[..head]) : new SpokenName(HasOddLineEnds(bytes) ? Speech.Malformed : Speech.Incomplete);
    }

    /// <summary>Whether a line may be that of a request of HTTP/1. The one that HTTP/2 begins with is another protocol's.</summary>
    private static bool IsLikeRequest(ReadOnlySpan<byte> line)
    {
        for (int at; (at = line.IndexOf((byte)'/')) >= 0; line = line[(at + 1)..])
        {
            if (at >= 4 && Ascii.EqualsIgnoreCase(line.Slice(at - 4, 4), "http"u8) && !line[(at + 1)..].StartsWith("2.0"u8))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether a head that is not complete may be so to a server that is not strict.</summary>
    private static bool HasOddLineEnds(ReadOnlySpan<byte> bytes)
    {
        for (int at; (at = bytes.IndexOfAny((byte)'\r', (byte)'\n')) >= 0; bytes = bytes[Math.Min(at + 2, bytes.Length)..])
        {
            if (bytes[at] == '\n' || (at + 1 < bytes.Length && bytes[at + 1] != '\n'))
            {
                return true;
            }
        }

        return false;
    }

    private static SpokenName ReadHead(ReadOnlySpan<byte> head)
    {
        SpokenName host = new(Speech.Nameless);
        int lines = 0;
        ReadOnlySpan<byte> target = default;
        foreach (Range range in head.Split("\r\n"u8))
        {
            ReadOnlySpan<byte> line = head[range];
            if (lines++ == 0)
            {
                int space = line.IndexOf((byte)' ');
                target = line[(space + 1)..line.LastIndexOf((byte)' ')];
                continue;
            }

            int colon = line.IndexOf((byte)':');
            if (lines > MaximumLines || colon <= 0 || line[..colon].ContainsAnyExcept(s_token) || HasControls(line))
            {
                return new SpokenName(Speech.Malformed);
            }

            if (Ascii.EqualsIgnoreCase(line[..colon], "host"u8))
            {
                host = host.Speech == Speech.Nameless ? OfAuthority(line[(colon + 1)..].Trim((byte)' ')) : new SpokenName(Speech.Malformed);
            }
        }

        // A path, or * for the server as a whole. What goes to a proxy names its host here too, and that one counts.
        return target.IsEmpty || target.Contains((byte)' ') || HasControls(target) ? new SpokenName(Speech.Malformed)
            : target[0] == '/' || target is [(byte)'*'] ? host
            : OfTarget(target) is var asked && asked == host ? host
            : new SpokenName(Speech.Malformed);
    }

    private static SpokenName OfTarget(ReadOnlySpan<byte> target)
    {
        int scheme = target.IndexOf("://"u8);
        if (scheme >= 0)
        {
            target = target[(scheme + 3)..];
            int slash = target.IndexOfAny((byte)'/', (byte)'?', (byte)'#');
            target = slash < 0 ? target : target[..slash];
        }

        return OfAuthority(target);
    }

    /// <summary>The name in <c>name</c> or <c>name:port</c>.</summary>
    private static SpokenName OfAuthority(ReadOnlySpan<byte> authority)
    {
        int colon = authority.IndexOf((byte)':');
        ReadOnlySpan<byte> port = colon < 0 ? default : authority[(colon + 1)..];
        return port.Length > 5 || port.ContainsAnyExceptInRange((byte)'0', (byte)'9') ? new SpokenName(Speech.Malformed)
            : Of(colon < 0 ? authority : authority[..colon]);
    }

    private static bool HasControls(ReadOnlySpan<byte> line) => line.ContainsAny(s_controls) || line.Contains((byte)127);
}
