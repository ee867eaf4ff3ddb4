using System.Buffers;

namespace Virtigo.Archives;

/// <summary>Small helpers for texts that come from outside.</summary>
internal static class Text
{
    private static readonly SearchValues<char> Hexadecimal = SearchValues.Create("0123456789abcdef");

    /// <summary>A hostile text made fit for a message: one line of printable characters, at most so many.</summary>
    public static string Shorten(ReadOnlySpan<char> text, int max = 120)
    {
        string start = new(text[..Math.Min(text.Length, max)]);
        string clean = string.Concat(start.Select(c => char.IsControl(c) ? ' ' : c));
        return text.Length > max ? clean + "…" : clean;
    }

    /// <summary>Whether this is a SHA-256 in lower-case hexadecimal.</summary>
    public static bool IsSha256(string? text) =>
        text is { Length: 64 } && !text.AsSpan().ContainsAnyExcept(Hexadecimal);
}
