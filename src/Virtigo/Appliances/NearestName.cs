namespace Virtigo.Appliances;

/// <summary>Finds what somebody probably meant.</summary>
internal static class NearestName
{
    private const int MaxLength = 64;

    /// <summary>The candidate nearest to a misspelt name, or null when none is near enough.</summary>
    public static string? Find(string name, IEnumerable<string> candidates)
    {
        if (name.Length is 0 or > MaxLength)
        {
            return null;
        }

        string lower = name.ToLowerInvariant();
        (string? best, int distance) = (null, 1 + Math.Max(1, name.Length / 3));
        foreach (string candidate in candidates)
        {
            if (candidate.Length <= MaxLength && Distance(lower, candidate.ToLowerInvariant()) is int now && now < distance)
            {
                (best, distance) = (candidate, now);
            }
        }

        return best;
    }

    /// <summary>The text <c>; did you mean 'x'?</c>, or nothing.</summary>
    public static string Suggest(string name, IEnumerable<string> candidates) =>
        Find(name, candidates) is { } near ? $"; did you mean '{near}'?" : "";

    /// <summary>How many letters must be added, removed, changed or swapped with their neighbour.</summary>
    private static int Distance(string a, string b)
    {
        int[,] cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    cost[i, j] = i + j;
                    continue;
                }

                int change = a[i - 1] == b[j - 1] ? 0 : 1;
                cost[i, j] = Math.Min(Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1, cost[i - 1, j - 1] + change);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
                }
            }
        }

        return cost[a.Length, b.Length];
    }
}
