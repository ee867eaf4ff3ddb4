using System.Buffers;

namespace Virtigo.Networks;

/// <summary>Names of hosts, as far as they may lead out of an environment.</summary>
internal static class HostName
{
    /// <summary>The longest name, in characters.</summary>
    public const int MaximumLength = 253;

    private const int MaximumLabel = 63;
    private static readonly SearchValues<char> s_letters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-_");
    private static readonly SearchValues<char> s_hexadecimal = SearchValues.Create("0123456789abcdef");

    /// <summary>Whether a text is the name of a host, in lower case and without a dot at its end: never an address, in none of its spellings.</summary>
    public static bool IsValid(string text)
    {
        if (text.Length is 0 or > MaximumLength)
        {
            return false;
        }

        string[] labels = text.Split('.');
        return Array.TrueForAll(labels, label => label.Length is >= 1 and <= MaximumLabel && !label.AsSpan().ContainsAnyExcept(s_letters)
                && label[0] != '-' && label[^1] != '-')
            && !IsNumber(labels[^1]);
    }

    /// <summary>A name as it stands in a request or certificate: in lower case, without a dot at its end. Null when it is none.</summary>
    public static string? Read(string text)
    {
        string name = text.EndsWith('.') ? text[..^1].ToLowerInvariant() : text.ToLowerInvariant();
        return IsValid(name) ? name : null;
    }

    /// <summary>Whether a name fits a pattern: is the same, or lies below the one behind <c>*.</c>, however deep.</summary>
    /// <param name="pattern">The pattern, in lower case.</param>
    /// <param name="name">The name, in lower case.</param>
    public static bool Fits(string pattern, string name) => pattern.StartsWith(DnsResponder.AnyBelow, StringComparison.Ordinal)
        ? name.Length > pattern.Length - 1 && name.EndsWith(pattern[1..], StringComparison.Ordinal)
        : name == pattern;

    // What programs read as an address: 127.1, 0x7f000001, 2130706433.
    private static bool IsNumber(string label) => label.All(char.IsAsciiDigit)
        || (label.StartsWith("0x", StringComparison.Ordinal) && label.AsSpan(2).IndexOfAnyExcept(s_hexadecimal) < 0);
}
