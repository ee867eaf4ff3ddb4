namespace Virtigo.Archives;

/// <summary>One archive of the host's apt configuration. A line or paragraph with several URIs gives one source for each.</summary>
/// <param name="Uri">The archive's root.</param>
/// <param name="Suites">The suites used of it.</param>
/// <param name="Components">The components used.</param>
/// <param name="SignedBy">The path of the keyring set for it, or null. A key written into the file itself is not reported.</param>
/// <param name="File">The file that says so.</param>
/// <param name="Line">The line in that file, from 1.</param>
public sealed record AptSource(
    Uri Uri, IReadOnlyList<string> Suites, IReadOnlyList<string> Components, string? SignedBy, string File, int Line);

/// <summary>Reads the host's own apt sources, to use the same mirrors as the host does.</summary>
public static class HostAptSources
{
    private const long MaxFile = 1 << 20;
    private const int MaxFiles = 1000;

    /// <summary>The binary package sources of this host that are enabled, in apt's order.</summary>
    /// <param name="etcApt">The folder of apt's configuration.</param>
    /// <returns>The sources; none when the host has no apt. Files and entries that cannot be read or understood are left out.</returns>
    public static IReadOnlyList<AptSource> Find(string etcApt = "/etc/apt")
    {
        var files = new List<string> { Path.Combine(etcApt, "sources.list") };
        string parts = Path.Combine(etcApt, "sources.list.d");
        if (Directory.Exists(parts))
        {
            files.AddRange(Directory.EnumerateFiles(parts)
                .Where(file => file.EndsWith(".list", StringComparison.Ordinal) || file.EndsWith(".sources", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
                .Take(MaxFiles));
        }

        return [.. files.SelectMany(ReadFile)];
    }

    /// <summary>The host's mirror of Debian's main archive.</summary>
    /// <param name="sources">The host's sources.</param>
    /// <returns>The first source for a folder called <c>debian</c>, or signed by Debian's keyring, that is not for security; else null.</returns>
    public static AptSource? MainArchive(IReadOnlyList<AptSource> sources) => sources.FirstOrDefault(source =>
        ArchiveUri.IsSupported(source.Uri) && !IsSecurity(source) && (LastFolder(source.Uri) == "debian" || IsSignedByDebian(source)));

    /// <summary>The host's mirror of Debian's security archive.</summary>
    /// <param name="sources">The host's sources.</param>
    /// <returns>The first source with security suites of a Debian archive; else null.</returns>
    public static AptSource? SecurityArchive(IReadOnlyList<AptSource> sources) => sources.FirstOrDefault(source =>
        ArchiveUri.IsSupported(source.Uri) && IsSecurity(source)
        && (LastFolder(source.Uri) is "debian-security" or "security" or "debian" || IsSignedByDebian(source)));

    internal static IReadOnlyList<AptSource> ParseList(string text, string file)
    {
        var sources = new List<AptSource>();
        int number = 0;
        foreach (string line in text.Split('\n'))
        {
            number++;
            int comment = line.IndexOf('#', StringComparison.Ordinal);
            if (ParseLine((comment < 0 ? line : line[..comment]).Trim(), file, number) is { } source)
            {
                sources.Add(source);
            }
        }

        return sources;
    }

    internal static IReadOnlyList<AptSource> ParseDeb822(string text, string file)
    {
        var sources = new List<AptSource>();
        foreach (ControlParagraph paragraph in ControlFile.Parse(text, file))
        {
            bool enabled = paragraph["Enabled"] is not { } value || !IsNo(value.Trim());
            if (!enabled || !paragraph.Words("Types").Contains("deb"))
            {
                continue;
            }

            string? signedBy = paragraph["Signed-By"]?.Trim() is { } path && path.StartsWith('/') ? path : null;
            sources.AddRange(paragraph.Words("URIs").Select(ParseUri).OfType<Uri>().Select(uri =>
                new AptSource(uri, paragraph.Words("Suites"), paragraph.Words("Components"), signedBy, file, paragraph.Line)));
        }

        return sources;
    }

    private static IEnumerable<AptSource> ReadFile(string path)
    {
        try
        {
            if (!File.Exists(path) || new FileInfo(path).Length > MaxFile)
            {
                return [];
            }

            string text = File.ReadAllText(path);
            return path.EndsWith(".sources", StringComparison.Ordinal) ? ParseDeb822(text, path) : ParseList(text, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or VirtigoException)
        {
            // Another program's file: one that apt itself may not read either must not stop us from using the others.
            return [];
        }
    }

    // deb [option=value ...] uri suite [component ...]
    private static AptSource? ParseLine(string line, string file, int number)
    {
        string rest = line;
        if (!rest.StartsWith("deb ", StringComparison.Ordinal) && !rest.StartsWith("deb\t", StringComparison.Ordinal))
        {
            return null;
        }

        rest = rest[4..].Trim();
        string? signedBy = null;
        if (rest.StartsWith('['))
        {
            int close = rest.IndexOf(']', StringComparison.Ordinal);
            if (close < 0)
            {
                return null;
            }

            foreach (string option in rest[1..close].Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
            {
                if (option.StartsWith("signed-by=/", StringComparison.OrdinalIgnoreCase))
                {
                    signedBy = option["signed-by=".Length..].Split(',')[0];
                }
            }

            rest = rest[(close + 1)..].Trim();
        }

        string[] words = rest.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        return words.Length >= 2 && ParseUri(words[0]) is { } uri
            ? new AptSource(uri, [words[1]], words[2..], signedBy, file, number)
            : null;
    }

    private static Uri? ParseUri(string text) => Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) ? uri : null;

    private static bool IsNo(string value) => value.ToLowerInvariant() is "no" or "false" or "without" or "off" or "disable" or "0";

    private static bool IsSecurity(AptSource source) => source.Suites.Any(suite =>
        suite.EndsWith("-security", StringComparison.Ordinal) || suite.EndsWith("/updates", StringComparison.Ordinal));

    private static bool IsSignedByDebian(AptSource source) =>
        source.SignedBy is { } keyring && Path.GetFileName(keyring).StartsWith("debian-archive-", StringComparison.Ordinal);

    private static string LastFolder(Uri uri) => uri.AbsolutePath.TrimEnd('/').Split('/')[^1];
}
