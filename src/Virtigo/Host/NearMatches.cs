namespace Virtigo.Host;

/// <summary>Finds what was probably meant by a misspelt word.</summary>
internal static class NearMatches
{
    private const int LongestWord = 128;

    /// <summary>The candidates that differ from a word by few letters, nearest first.</summary>
    /// <param name="word">The word as written.</param>
    /// <param name="candidates">What it could have been.</param>
    /// <param name="most">How many to give at most.</param>
    public static IReadOnlyList<string> Of(string word, IEnumerable<string> candidates, int most = 3)
    {
        int limit = Math.Max(1, Math.Min(word.Length, LongestWord) / 3);
        return word.Length > LongestWord ? [] :
        [
            .. candidates.Where(candidate => candidate.Length <= LongestWord)
                .Select(candidate => (candidate, distance: Distance(word, candidate)))
                .Where(pair => pair.distance <= limit || (word.Length >= 3 && pair.candidate.StartsWith(word, StringComparison.Ordinal)))
                .OrderBy(pair => pair.distance).ThenBy(pair => pair.candidate, StringComparer.Ordinal)
                .Take(most).Select(pair => pair.candidate),
        ];
    }

    /// <summary>How many letters must be added, removed, changed or swapped with their neighbour to make one word the other.</summary>
    internal static int Distance(string a, string b)
    {
        int[] beforeLast = new int[b.Length + 1];
        int[] last = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int[] row = new int[b.Length + 1];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = a[i - 1] == b[j - 1] ? 0 : 1;
                row[j] = Math.Min(Math.Min(row[j - 1], last[j]) + 1, last[j - 1] + change);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    row[j] = Math.Min(row[j], beforeLast[j - 2] + 1);
                }
            }

            (beforeLast, last) = (last, row);
        }

        return last[b.Length];
    }
}
