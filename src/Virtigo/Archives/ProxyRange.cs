using System.Globalization;

namespace Virtigo.Archives;

/// <summary>What of a file a request gets, after its conditions (RFC 9110, sections 13 and 14).</summary>
/// <param name="Status">200, 206, 304 or 416.</param>
/// <param name="Start">The first byte.</param>
/// <param name="Length">The number of bytes.</param>
internal readonly record struct ProxyRange(int Status, long Start, long Length)
{
    /// <summary>The tag of a file.</summary>
    public static string TagOf(ProxyFile file) => $"\"{file.Sha256}\"";

    /// <summary>Applies a request's conditions and range.</summary>
    public static ProxyRange Of(ProxyRequest request, ProxyFile file, long size)
    {
        bool isUnchanged = request["If-None-Match"] is { } tags
            ? tags.Contains(TagOf(file), StringComparison.Ordinal) || tags.Trim() == "*"
            : request.DateOf("If-Modified-Since") is { } since && file.Modified <= since;
        if (isUnchanged)
        {
            return new ProxyRange(304, 0, 0);
        }

        bool mayBePart = request["If-Range"] is not { } condition
            || condition == TagOf(file) || request.DateOf("If-Range") == file.Modified;
        return mayBePart && request["Range"] is { } range && Parse(range, size) is { } part ? part : new ProxyRange(200, 0, size);
    }

    /// <returns>The part; null when the header is malformed or names several parts, and is to be ignored.</returns>
    private static ProxyRange? Parse(string header, long size)
    {
        const string unit = "bytes=";
        string[] ends = header.StartsWith(unit, StringComparison.OrdinalIgnoreCase) ? header[unit.Length..].Split('-') : [];
        if (ends is not [var first, var last] || (first.Length == 0 && last.Length == 0)
            || !TryRead(first, out long? from) || !TryRead(last, out long? to) || (from is not null && to < from))
        {
            return null;
        }

        long start = from ?? Math.Max(0, size - to!.Value);
        long end = from is null || to is null ? size : Math.Min(size, to.Value + 1);
        return start >= end ? new ProxyRange(416, 0, 0) : new ProxyRange(206, start, end - start);
    }

    private static bool TryRead(string text, out long? number)
    {
        const int longest = 18;
        number = null;
        if (text.Length == 0)
        {
            return true;
        }

        bool isNumber = text.Length <= longest && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value)
            && (number = value) >= 0;
        return isNumber;
    }
}
