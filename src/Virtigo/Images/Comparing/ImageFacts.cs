using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Images;

/// <summary>What an image says in one aspect: a value by name, in the order of the names.</summary>
internal static class ImageFacts
{
    private const int MostTextBytes = 16 << 20;
    private const string UnitFolder = "/etc/systemd/system";

    /// <summary>The values of the plan.</summary>
    public static Dictionary<string, string> Plan(ImageManifest manifest) => Named(manifest.Plan.Select(value => (value.Key, value.Value)));

    /// <summary>The packages with their versions.</summary>
    public static Dictionary<string, string> Packages(ImageManifest manifest) =>
        Named(manifest.Packages.Select(package => ($"{package.Name}:{package.Architecture}", package.Version)));

    /// <summary>What the kernel is told, each word by itself, without the identifiers of file systems.</summary>
    public static Dictionary<string, string> Kernel(ImageFiles files)
    {
        string? told = BootFinder.Find(files)?.CommandLine;
        return told is null ? [] : Named(Exclusions.WithoutIdentifiers(told).Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .GroupBy(word => word.Split('=')[0])
            .Select(same => (same.Key, string.Join(' ', same))));
    }

    /// <summary>The links by which systemd knows what to start: enabled, masked, aliased.</summary>
    public static Dictionary<string, string> Units(ImageFiles files) =>
        Named(files.Tree(UnitFolder).Where(entry => entry.Target is not null).Select(entry => (entry.Path[(UnitFolder.Length + 1)..], entry.Target!)));

    /// <summary>Users and groups. Of a password only its state is told, never its hash.</summary>
    public static Dictionary<string, string> Users(ImageFiles files)
    {
        Dictionary<string, string> passwords = Named(Lines(files, "/etc/shadow", 2).Select(parts => (parts[0], Password(parts[1]))));
        return Named(Lines(files, "/etc/passwd", 7)
            .Select(parts => ($"user {parts[0]}", $"{parts[2]}:{parts[3]} {parts[5]} {parts[6]} {passwords.GetValueOrDefault(parts[0], "no password entry")}"))
            .Concat(Lines(files, "/etc/group", 4).Select(parts => ($"group {parts[0]}", $"{parts[2]} {parts[3]}".TrimEnd()))));
    }

    /// <summary>The files that count, by their paths.</summary>
    public static Dictionary<string, ImageEntry> Files(ImageFiles files)
    {
        var found = new Dictionary<string, ImageEntry>(StringComparer.Ordinal);
        foreach (ImageEntry entry in files.Tree("/", entry => !Exclusions.Covers(entry.Path)))
        {
            if (!Exclusions.Covers(entry.Path))
            {
                found.TryAdd(entry.Path, entry);
            }
        }

        return found;
    }

    /// <summary>What a file is without its content.</summary>
    public static string Describe(ImageEntry entry) => string.Create(CultureInfo.InvariantCulture,
        $"{Kind(entry)} {Convert.ToString(entry.Mode, 8).PadLeft(4, '0')} {entry.User}:{entry.Group}")
        + (entry.Kind == ImageEntryKind.File ? string.Create(CultureInfo.InvariantCulture, $" {entry.Size} bytes") : entry.Target is null ? "" : " -> " + entry.Target);

    /// <summary>The SHA-256 of a file's content; of one with identifiers of file systems, without these.</summary>
    public static string Hash(ImageFiles files, ImageEntry file, CancellationToken cancellationToken)
    {
        if (Exclusions.HasIdentifiers(file.Path) && files.Read(file, MostTextBytes) is { } text)
        {
            return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Exclusions.WithoutIdentifiers(Encoding.UTF8.GetString(text)))));
        }

        using var hash = SHA256.Create();
        using var sink = new CryptoStream(Stream.Null, hash, CryptoStreamMode.Write);
        files.Copy(file, sink, cancellationToken);
        sink.FlushFinalBlock();
        return Convert.ToHexStringLower(hash.Hash!);
    }

    private static string Kind(ImageEntry entry) => entry.Kind switch
    {
        ImageEntryKind.File => "file",
        ImageEntryKind.Directory => "folder",
        ImageEntryKind.Link => "link",
        _ => "special",
    };

    private static string Password(string field) => field switch
    {
        "" => "empty password",
        _ when field[0] is '!' or '*' => "password locked",
        _ => "password set",
    };

    private static IEnumerable<string[]> Lines(ImageFiles files, string path, int least) =>
        (files.ReadText(path, MostTextBytes) ?? "").Split('\n').Select(line => line.Split(':')).Where(parts => parts.Length >= least);

    private static Dictionary<string, string> Named(IEnumerable<(string Name, string Value)> facts)
    {
        var named = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string name, string value) in facts)
        {
            named[name] = named.TryGetValue(name, out string? other) && other != value ? $"{other}, {value}" : value;
        }

        return named;
    }
}
