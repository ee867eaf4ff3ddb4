namespace Virtigo.Installers.Debian;

/// <summary>Finds what somebody probably meant.</summary>
internal static class NearMatch
{
    private const int LongestWord = 200;

    /// <summary>The candidates nearest to a misspelt word, best first; at most three, none if nothing is near.</summary>
    /// <param name="word">The misspelt word.</param>
    /// <param name="candidates">What it may have meant.</param>
    public static IReadOnlyList<string> Of(string word, IEnumerable<string> candidates)
    {
        if (word.Length is 0 or > LongestWord)
        {
            return [];
        }

        int limit = Math.Max(1, word.Length / 4);
        string tail = word[(word.LastIndexOf('/') + 1)..];
        return [.. candidates
            .Where(c => c.Length <= LongestWord)
            .Select(c => (Name: c, Distance: SameTail(c, tail) ? 1 : Distance(word, c, limit)))
            .Where(c => c.Distance <= limit)
            .OrderBy(c => c.Distance).ThenBy(c => c.Name, StringComparer.Ordinal)
            .Select(c => c.Name).Distinct(StringComparer.Ordinal).Take(3)];
    }

    /// <summary>The number of characters to insert, remove, replace or swap, or more than <paramref name="limit"/>.</summary>
    internal static int Distance(string from, string to, int limit)
    {
        if (Math.Abs(from.Length - to.Length) > limit)
        {
            return limit + 1;
        }

        int[] twoBack = new int[to.Length + 1], previous = new int[to.Length + 1], row = new int[to.Length + 1];
        for (int j = 0; j <= to.Length; j++)
        {
            previous[j] = j;
        }

        for (int i = 1; i <= from.Length; i++)
        {
            row[0] = i;
            int best = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int substitution = previous[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
                row[j] = Math.Min(substitution, 1 + Math.Min(previous[j], row[j - 1]));
                if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                {
                    row[j] = Math.Min(row[j], twoBack[j - 2] + 1);
                }

                best = Math.Min(best, row[j]);
            }

            if (best > limit)
            {
                return limit + 1;
            }

            (twoBack, previous, row) = (previous, row, twoBack);
        }

        return previous[to.Length];
    }

    private static bool SameTail(string candidate, string tail) =>
        tail.Length >= 8 && candidate.EndsWith(tail, StringComparison.Ordinal)
        && candidate.Length > tail.Length && candidate[^(tail.Length + 1)] == '/';
}
