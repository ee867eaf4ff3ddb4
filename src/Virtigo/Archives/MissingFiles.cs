using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Archives;

/// <summary>
/// Remembers which files of the index no mirror has, so that a second build need not ask again:
/// for a day, or for as long as one is offline.
/// </summary>
internal sealed class MissingFiles(Pool pool, ArchiveOptions options)
{
    private static readonly TimeSpan Remembered = TimeSpan.FromDays(1);

    /// <summary>Whether all these addresses were found missing lately.</summary>
    public bool Contains(string sha256, IReadOnlyList<Uri> uris)
    {
        string path = PathOf(sha256);
        if (!File.Exists(path))
        {
            return false;
        }

        string[] lines = File.ReadAllLines(path);
        return lines.Length > 0
            && long.TryParse(lines[0], NumberStyles.None, CultureInfo.InvariantCulture, out long seen)
            && (options.Offline || options.Clock.GetUtcNow().ToUnixTimeSeconds() - seen < Remembered.TotalSeconds)
            && uris.All(uri => lines.Contains(ArchiveUri.Shown(uri)));
    }

    /// <summary>Remembers that none of these addresses has the file.</summary>
    public Task AddAsync(string sha256, IReadOnlyList<Uri> uris, CancellationToken cancellationToken)
    {
        IEnumerable<string> lines =
            [options.Clock.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture), .. uris.Select(ArchiveUri.Shown)];
        return AtomicFile.WriteTextAsync(PathOf(sha256), string.Join('\n', lines) + "\n", cancellationToken);
    }

    private string PathOf(string sha256) => Path.Combine(pool.Directory, "missing", sha256);
}
