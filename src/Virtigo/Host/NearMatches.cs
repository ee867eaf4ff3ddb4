namespace Virtigo.Host;

/// <summary>Finds what was probably meant by a misspelt word.</summary>
internal static class NearMatches
{
    private const int LongestWord = 200;

    /// <summary>The end of a path that is enough to recognise it by, in letters.</summary>
    private const int TellingTail = 8;

    /// <summary>The candidates nearest to a word, if they differ from it by few letters; case does not count.</summary>
    /// <param name="word">The word as written.</param>
    /// <param name="candidates">What it could have been.</param>
    /// <param name="most">How many to give at most.</param>
    public static IReadOnlyList<string> Of(string word, IEnumerable<string> candidates, int most = 3)
    {
        if (word.Length is 0 or > LongestWord)
        {
            return [];
        }

        string wanted = word.ToLowerInvariant();
        int limit = wanted.Length switch { <= 3 => 1, <= 7 => 2, <= 15 => 3, _ => wanted.Length / 4 };
        (string Name, int Distance)[] near =
        [
            .. candidates.Where(candidate => candidate.Length <= LongestWord)
                .Select(candidate => (Name: candidate, Distance: Rank(wanted, candidate.ToLowerInvariant(), limit)))
                .Where(pair => pair.Distance <= limit)
                .OrderBy(pair => pair.Distance).ThenBy(pair => pair.Name.Length).ThenBy(pair => pair.Name, StringComparer.Ordinal),
        ];
        return [.. near.TakeWhile(pair => pair.Distance == near[0].Distance).Select(pair => pair.Name).Distinct(StringComparer.Ordinal).Take(most)];
    }

    /// <summary>How many letters must be added, removed, changed or swapped with their neighbour to make one word the other.</summary>
    /// <returns>The distance, or <paramref name="limit"/> + 1 when it is greater than <paramref name="limit"/>.</returns>
    internal static int Distance(ReadOnlySpan<char> a, ReadOnlySpan<char> b, int limit)
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

    private static int Rank(string wanted, string candidate, int limit) =>
        wanted == candidate ? 0
        : SameTail(wanted, candidate) || OnlyItsEndIsMissing(wanted, candidate) ? 1
        : Distance(wanted, candidate, limit);

    private static bool OnlyItsEndIsMissing(string wanted, string candidate) =>
        wanted.Length >= 4 && candidate.StartsWith(wanted, StringComparison.Ordinal);

    /// <summary>Whether both are paths that differ only in the folder.</summary>
    private static bool SameTail(string wanted, string candidate)
    {
        string tail = wanted[(wanted.LastIndexOf('/') + 1)..];
        return tail.Length >= TellingTail && candidate.Length > tail.Length
            && candidate[^(tail.Length + 1)] == '/' && candidate.EndsWith(tail, StringComparison.Ordinal);
    }
}
