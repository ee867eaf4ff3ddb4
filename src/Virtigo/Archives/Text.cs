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

    /// <summary>How many insertions, removals, replacements and swaps of neighbours turn one text into the other.</summary>
    /// <returns>The distance, or <paramref name="limit"/> + 1 when it is greater than <paramref name="limit"/>.</returns>
    public static int Distance(ReadOnlySpan<char> a, ReadOnlySpan<char> b, int limit)
    {
        if (Math.Abs(a.Length - b.Length) > limit)
        {
            return limit + 1;
        }

        int width = b.Length + 1;
        Span<int> rows = width <= 100 ? stackalloc int[300] : new int[3 * width];
        Span<int> before = rows[..width];
        Span<int> previous = rows.Slice(width, width);
        Span<int> current = rows.Slice(2 * width, width);
        for (int j = 0; j <= b.Length; j++)
        {
            previous[j] = j;
        }

        for (int i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            int least = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int cost = a[i - 1] == b[j - 1] ? 0 : 1;
                int best = Math.Min(Math.Min(previous[j], current[j - 1]) + 1, previous[j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    best = Math.Min(best, before[j - 2] + 1);
                }

                current[j] = best;
                least = Math.Min(least, best);
            }

            if (least > limit)
            {
                return limit + 1;
            }

            Span<int> spare = before;
            before = previous;
            previous = current;
            current = spare;
        }

        return Math.Min(previous[b.Length], limit + 1);
    }
}
