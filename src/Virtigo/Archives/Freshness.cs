using System.Globalization;

namespace Virtigo.Archives;

/// <summary>Whether a verified Release may still, or already, be used.</summary>
internal static class Freshness
{
    // As apt's Acquire::Max-FutureTime.
    private static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(10);

    /// <summary>Checks the dates of a Release.</summary>
    /// <param name="release">The Release.</param>
    /// <param name="known">The one accepted before, or null.</param>
    /// <param name="url">Where it came from, for messages.</param>
    /// <param name="options">The clock, and whether old ones are accepted.</param>
    /// <exception cref="VirtigoException">It expired, lies in the future, or is older than the known one (<see cref="FailureKind.Trust"/>).</exception>
    public static void Check(ReleaseFile release, ReleaseFile? known, string url, ArchiveOptions options)
    {
        DateTimeOffset now = options.Clock.GetUtcNow();
        if (release.Date > now + ClockSkew)
        {
            throw new VirtigoException(FailureKind.Trust,
                $"The Release of {url} is dated {Show(release.Date)}, but this host's clock says {Show(now)}.",
                "Set the host's clock: date and time decide whether signatures and Releases are valid.");
        }

        if (options.AllowExpired)
        {
            return;
        }

        if (release.ValidUntil is { } until && until < now)
        {
            throw new VirtigoException(FailureKind.Trust,
                $"The Release of {url} was valid until {Show(until)}; now it is {Show(now)}. The mirror may be stale or replayed.",
                "Use another mirror, check the host's clock, or accept it with --allow-expired.");
        }

        if (known is not null && release.Date < known.Date)
        {
            throw new VirtigoException(FailureKind.Trust,
                $"The Release of {url} is dated {Show(release.Date)}, older than the one of {Show(known.Date)} seen before: "
                + "a lagging mirror, or an old state replayed to hold back updates.",
                "Try again later, use another mirror, or accept it with --allow-expired.");
        }
    }

    private static string Show(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
}
