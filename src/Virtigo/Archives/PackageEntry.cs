using System.Globalization;
using System.Text;

namespace Virtigo.Archives;

/// <summary>One package of an index. Fields are read from the index's text when asked for.</summary>
internal sealed class PackageEntry
{
    private readonly ReadOnlyMemory<byte> _text;
    private readonly string _index;
    private DebianVersion? _version;

    /// <param name="text">The paragraph, each line with its line break.</param>
    /// <param name="index">Which index it is from, for messages.</param>
    internal PackageEntry(ReadOnlyMemory<byte> text, string index)
    {
        _text = text;
        _index = index;
        Name = this["Package"] is { Length: > 0 } name ? name : throw new VirtigoException(FailureKind.Archive,
            $"{index} has a paragraph without \"Package\": \"{Text.Shorten(Encoding.UTF8.GetString(text.Span[..Math.Min(text.Length, 200)]))}\".");
    }

    /// <summary>The package's name.</summary>
    public string Name { get; }

    /// <summary>Its version.</summary>
    public DebianVersion Version => _version ??= DebianVersion.Parse(Require("Version"));

    /// <summary>Its architecture, as <c>amd64</c> or <c>all</c>.</summary>
    public string Architecture => Require("Architecture");

    /// <summary>The file's path below the archive's root.</summary>
    public string Filename => Require("Filename");

    /// <summary>The file's size in bytes.</summary>
    public long Size => long.TryParse(Require("Size"), NumberStyles.None, CultureInfo.InvariantCulture, out long size)
        ? size
        : throw Bad($"has \"{Text.Shorten(Require("Size"))}\" as its size");

    /// <summary>The file's SHA-256, lower-case hexadecimal.</summary>
    public string Sha256 => Require("SHA256").ToLowerInvariant() is var hash && Text.IsSha256(hash)
        ? hash
        : throw Bad($"has \"{Text.Shorten(hash)}\" as its SHA-256");

    /// <summary>The source package's name.</summary>
    public string Source => this["Source"]?.Split(' ')[0] ?? Name;

    /// <summary>The source package's version.</summary>
    public DebianVersion SourceVersion =>
        this["Source"] is { } source && source.IndexOf('(', StringComparison.Ordinal) is > 0 and int open && source.EndsWith(')')
            ? DebianVersion.Parse(source[(open + 1)..^1])
            : Version;

    /// <summary>How important the package is: required, important, standard, optional or extra.</summary>
    public string Priority => this["Priority"] ?? "optional";

    /// <summary>What it needs to run, Pre-Depends included.</summary>
    public IReadOnlyList<Dependency> Depends => [.. Relations("Pre-Depends"), .. Relations("Depends")];

    /// <summary>The virtual packages it provides.</summary>
    public IReadOnlyList<Dependency> Provides => Relations("Provides");

    /// <summary>The kernel a udeb belongs to, or null for any.</summary>
    public string? KernelVersion => this["Kernel-Version"];

    /// <summary>The whole paragraph.</summary>
    public ControlParagraph Paragraph
    {
        get
        {
            using var stream = new MemoryStream(_text.ToArray(), writable: false);
            return ControlFile.Parse(stream, $"{Name} in {_index}").First();
        }
    }

    /// <summary>
    /// A field's value, further lines still starting with their space; null when the field is absent.
    /// Archive tools write field names in one way only, so they are compared with case: that is what makes this fast.
    /// </summary>
    public string? this[string field]
    {
        get
        {
            Span<byte> start = stackalloc byte[64];
            start[0] = (byte)'\n';
            int length = Encoding.ASCII.GetBytes(field, start[1..]) + 1;
            start[length++] = (byte)':';
            start = start[..length];
            ReadOnlySpan<byte> text = _text.Span;
            int value = text.StartsWith(start[1..]) ? length - 1 : text.IndexOf(start) is >= 0 and int found ? found + length : -1;
            if (value < 0)
            {
                return null;
            }

            int end = value + LineEnd(text[value..]);
            while (end < text.Length && text[end] is (byte)' ' or (byte)'\t')
            {
                end += LineEnd(text[end..]);
            }

            return Encoding.UTF8.GetString(text[value..end].Trim(" \t\r\n"u8));
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {Version}";

    internal bool Has(ReadOnlySpan<byte> text) => _text.Span.IndexOf(text) >= 0;

    private static int LineEnd(ReadOnlySpan<byte> text)
    {
        int feed = text.IndexOf((byte)'\n');
        return feed < 0 ? text.Length : feed + 1;
    }

    private IReadOnlyList<Dependency> Relations(string field)
    {
        try
        {
            return Dependency.Parse(this[field]);
        }
        catch (VirtigoException e)
        {
            throw Bad($"has a bad {field}: {e.Message}");
        }
    }

    private string Require(string field) => this[field] ?? throw Bad($"has no \"{field}\"");

    private VirtigoException Bad(string what) => new(FailureKind.Archive, $"The package {Text.Shorten(Name)} of {_index} {what}.", "Use another mirror.");
}
