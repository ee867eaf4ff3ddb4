using System.Globalization;

namespace Virtigo.Archives;

/// <summary>A file listed in a Release.</summary>
/// <param name="Path">Its path below the suite's folder.</param>
/// <param name="Sha256">Its SHA-256, lower-case hexadecimal.</param>
/// <param name="Size">Its size in bytes.</param>
internal sealed record ReleaseEntry(string Path, string Sha256, long Size);

/// <summary>What a suite's Release file says. Only ever made from text whose signature was verified.</summary>
internal sealed class ReleaseFile
{
    private const int MaxEntries = 200_000;
    private readonly ControlParagraph _fields;

    private ReleaseFile(ControlParagraph fields, DateTimeOffset date, DateTimeOffset? validUntil, IReadOnlyDictionary<string, ReleaseEntry> files)
    {
        _fields = fields;
        Date = date;
        ValidUntil = validUntil;
        Files = files;
    }

    /// <summary>When the archive made the Release.</summary>
    public DateTimeOffset Date { get; }

    /// <summary>Until when it may be used, or null when the archive sets no end.</summary>
    public DateTimeOffset? ValidUntil { get; }

    /// <summary>The files it vouches for, by path below the suite's folder.</summary>
    public IReadOnlyDictionary<string, ReleaseEntry> Files { get; }

    /// <summary>The release's code name, as <c>trixie</c>.</summary>
    public string? Codename => _fields["Codename"];

    /// <summary>The suite's role, as <c>stable</c>.</summary>
    public string? Suite => _fields["Suite"];

    /// <summary>Who makes the archive, as <c>Debian</c>.</summary>
    public string? Origin => _fields["Origin"];

    /// <summary>The release's number, as <c>13.2</c>.</summary>
    public string? Version => _fields["Version"];

    /// <summary>The components it has.</summary>
    public IReadOnlyList<string> Components => _fields.Words("Components");

    /// <summary>The architectures it has.</summary>
    public IReadOnlyList<string> Architectures => _fields.Words("Architectures");

    /// <summary>Whether indices can be fetched by their hash.</summary>
    public bool AcquireByHash => "yes".Equals(_fields["Acquire-By-Hash"], StringComparison.OrdinalIgnoreCase);

    /// <summary>Any other field.</summary>
    public string? this[string field] => _fields[field];

    /// <summary>Reads a verified Release.</summary>
    /// <param name="text">The verified text.</param>
    /// <param name="name">What it is, for messages.</param>
    /// <exception cref="VirtigoException">It is no Release, or lists no SHA-256 (<see cref="FailureKind.Archive"/>).</exception>
    public static ReleaseFile Parse(ReadOnlyMemory<byte> text, string name)
    {
        using var stream = new MemoryStream(text.ToArray(), writable: false);
        ControlParagraph? fields = null;
        foreach (ControlParagraph paragraph in ControlFile.Parse(stream, name))
        {
            fields = fields is null ? paragraph : throw Bad(name, "has more than one paragraph");
        }

        if (fields is null)
        {
            throw Bad(name, "is empty");
        }

        DateTimeOffset date = ParseDate(fields.Require("Date", name), name, "Date");
        DateTimeOffset? until = fields["Valid-Until"] is { } end ? ParseDate(end, name, "Valid-Until") : null;
        var files = new Dictionary<string, ReleaseEntry>(StringComparer.Ordinal);
        fields.Require("SHA256", name);
        foreach (string line in fields.Lines("SHA256"))
        {
            string[] parts = line.Split((char[])[' ', '\t'], 3, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (parts.Length != 3 || !Text.IsSha256(parts[0].ToLowerInvariant()) || !ArchiveUri.IsPlainPath(parts[2])
                || !long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out long size))
            {
                throw Bad(name, $"has the line \"{Text.Shorten(line)}\" under SHA256, expected \"hash size path\"");
            }

            var entry = new ReleaseEntry(parts[2], parts[0].ToLowerInvariant(), size);
            if (!files.TryAdd(entry.Path, entry) && files[entry.Path] != entry)
            {
                throw Bad(name, $"lists \"{Text.Shorten(entry.Path)}\" twice with different hashes");
            }

            if (files.Count > MaxEntries)
            {
                throw Bad(name, $"lists more than {MaxEntries} files");
            }
        }

        return new ReleaseFile(fields, date, until, files);
    }

    /// <summary>The file by this path, or an error that names it.</summary>
    public ReleaseEntry Require(string path, string where) => Files.TryGetValue(path, out ReleaseEntry? entry)
        ? entry
        : throw new VirtigoException(FailureKind.Archive, $"The Release of {where} lists no \"{path}\".",
            $"It has the components {string.Join(", ", Components.DefaultIfEmpty("(none)"))} and the architectures "
            + $"{string.Join(", ", Architectures.DefaultIfEmpty("(none)"))}.");

    private static DateTimeOffset ParseDate(string text, string name, string field)
    {
        const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal | DateTimeStyles.AllowWhiteSpaces;
        string plain = text.Replace("UTC", "+0000", StringComparison.Ordinal).Replace("GMT", "+0000", StringComparison.Ordinal);
        return DateTimeOffset.TryParseExact(plain, (string[])["ddd, d MMM yyyy H:mm:ss zzz", "d MMM yyyy H:mm:ss zzz"],
            CultureInfo.InvariantCulture, Utc, out DateTimeOffset date)
            ? date
            : throw Bad(name, $"has \"{Text.Shorten(text)}\" as {field}, expected a date as \"Sat, 08 Nov 2025 10:12:34 UTC\"");
    }

    private static VirtigoException Bad(string name, string what) =>
        new(FailureKind.Archive, $"{name} {what}.", "Use another mirror.");
}
