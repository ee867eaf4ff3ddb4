using System.Buffers;

namespace Virtigo.Images;

/// <summary>The form of an image's key: 64 lower-case hexadecimal digits.</summary>
internal static class ImageKey
{
    private const int Length = 64;
    private const int ShortLength = 12;
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789abcdef");

    public static bool IsValid(string? key) => key?.Length == Length && IsHexadecimal(key);

    public static bool IsHexadecimal(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(Digits);

    /// <summary>The beginning of a key, enough for people.</summary>
    public static string Short(string key) => key[..ShortLength];

    /// <summary>Refuses anything that is not a key, so that no key can name a file elsewhere.</summary>
    public static string Require(string key) =>
        IsValid(key) ? key : throw new ArgumentException("an image key has 64 lower-case hexadecimal digits", nameof(key));
}
