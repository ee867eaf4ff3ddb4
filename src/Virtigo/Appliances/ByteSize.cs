using System.Globalization;

namespace Virtigo.Appliances;

/// <summary>Sizes as people write them: <c>8GiB</c>, <c>8G</c>, <c>512 MiB</c>. Units are powers of 1024.</summary>
internal static class ByteSize
{
    /// <summary>What <see cref="TryParse"/> accepts, for messages.</summary>
    public const string Expected = "a number with a unit, such as 512MiB, 8GiB or 8G (powers of 1024)";

    private static readonly (string Unit, int Shift)[] s_units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

    /// <summary>Reads a size; false for anything else, a size beyond 2^62 included.</summary>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        int digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        if (digits is < 1 or > 18)
        {
            return false;
        }

        ReadOnlySpan<char> unit = text.AsSpan(digits).TrimStart(' ');
        foreach ((string name, int shift) in s_units)
        {
            if (unit.Equals(name, StringComparison.OrdinalIgnoreCase) || unit.Equals(name.AsSpan(0, 1), StringComparison.OrdinalIgnoreCase))
            {
                long number = long.Parse(text.AsSpan(0, digits), CultureInfo.InvariantCulture);
                bytes = number << shift;
                return number <= (1L << 62 - shift);
            }
        }

        return false;
    }

    /// <summary>The size in the largest unit that divides it.</summary>
    public static string Format(long bytes)
    {
        foreach ((string name, int shift) in s_units)
        {
            if (bytes != 0 && bytes % (1L << shift) == 0)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{bytes >> shift} {name}");
            }
        }

        return string.Create(CultureInfo.InvariantCulture, $"{bytes} B");
    }
}
