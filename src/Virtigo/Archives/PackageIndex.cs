using Virtigo.Host;

namespace Virtigo.Archives;

/// <summary>
/// A Packages file. Only names are read when it is opened; every other field is read from the text when asked for,
/// so that tens of megabytes open in a fraction of a second.
/// </summary>
internal sealed class PackageIndex
{
    private const int MaxPackages = 1_000_000;
    private readonly List<PackageEntry> _all;
    private readonly Dictionary<string, PackageEntry> _newest;
    private readonly Lazy<ILookup<string, PackageEntry>> _providers;

    private PackageIndex(List<PackageEntry> all, Dictionary<string, PackageEntry> newest)
    {
        (_all, _newest) = (all, newest);
        _providers = new Lazy<ILookup<string, PackageEntry>>(ReadProviders);
    }

    /// <summary>Every package, in the order of the file.</summary>
    public IReadOnlyList<PackageEntry> All => _all;

    /// <summary>Reads an index.</summary>
    /// <param name="text">The decompressed text; kept.</param>
    /// <param name="name">What it is, for messages.</param>
    /// <exception cref="VirtigoException">A paragraph has no name (<see cref="FailureKind.Archive"/>).</exception>
    public static PackageIndex Parse(byte[] text, string name)
    {
        var all = new List<PackageEntry>();
        var newest = new Dictionary<string, PackageEntry>(StringComparer.Ordinal);
        int at = 0;
        while (at < text.Length)
        {
            if (text[at] == '\n')
            {
                at++;
                continue;
            }

            int length = text.AsSpan(at).IndexOf("\n\n"u8);
            length = length < 0 ? text.Length - at : length + 1;
            if (all.Count >= MaxPackages)
            {
                throw new VirtigoException(FailureKind.Archive, $"{name} has more than {MaxPackages} packages.");
            }

            var entry = new PackageEntry(text.AsMemory(at, length), name);
            all.Add(entry);
            if (!newest.TryAdd(entry.Name, entry) && entry.Version > newest[entry.Name].Version)
            {
                newest[entry.Name] = entry;
            }

            at += length;
        }

        return new PackageIndex(all, newest);
    }

    /// <summary>The newest package of this name, or null.</summary>
    public PackageEntry? Find(string name) => _newest.GetValueOrDefault(name);

    /// <summary>Every version of a package, in the order of the file.</summary>
    public IEnumerable<PackageEntry> FindAll(string name) =>
        _newest.ContainsKey(name) ? _all.Where(entry => entry.Name == name) : [];

    /// <summary>The packages that provide a virtual package, in the order of the file.</summary>
    public IEnumerable<PackageEntry> Providers(string name) => _providers.Value[name];

    /// <summary>Names somebody may have meant, the nearest first.</summary>
    public IReadOnlyList<string> Near(string name) => NearMatches.Of(name, _newest.Keys);

    private ILookup<string, PackageEntry> ReadProviders() => _all
        .Where(package => package.Has("\nProvides:"u8))
        .SelectMany(package => package.Provides.SelectMany(provided => provided.Alternatives).Select(provided => (provided.Name, package)))
        .ToLookup(pair => pair.Name, pair => pair.package, StringComparer.Ordinal);
}
