namespace Virtigo.Archives;

/// <summary>A verified suite: its Release, its indices and, through them, its packages.</summary>
internal sealed class ArchiveSuite
{
    private const long MaxIndex = 1 << 30;
    private readonly ArchiveClient _client;
    private readonly SignedRelease _signed;

    internal ArchiveSuite(ArchiveClient client, ArchiveSource source, SignedRelease signed) =>
        (_client, Source, _signed) = (client, source, signed);

    /// <summary>The suite and where to find it.</summary>
    public ArchiveSource Source { get; }

    /// <summary>What its verified Release says.</summary>
    public ReleaseFile Release => _signed.Release;

    /// <summary>The SHA-256 of the signed file: InRelease, or Release where the archive has no InRelease.</summary>
    public string ReleaseSha256 => _signed.Sha256;

    /// <summary>The pooled path of the signed file, exactly as verified.</summary>
    public string InReleasePath => _client.Pool.PathOf(_signed.Sha256);

    /// <summary>The pooled paths of the signed files by their names in the archive: InRelease, or Release and Release.gpg.</summary>
    public IReadOnlyDictionary<string, string> SignedFiles => _signed.SignatureSha256 is { } signature
        ? new Dictionary<string, string> { ["Release"] = InReleasePath, ["Release.gpg"] = _client.Pool.PathOf(signature) }
        : new Dictionary<string, string> { ["InRelease"] = InReleasePath };

    private string Name => $"\"{Source.Suite}\" at {ArchiveUri.Shown(Source.BaseUri)}";

    /// <summary>The packages of a component.</summary>
    /// <param name="component">The component, as <c>main</c>.</param>
    /// <param name="architecture">The architecture, as <c>amd64</c>.</param>
    /// <param name="installer">The installer's components (udebs) instead of packages.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task<PackageIndex> PackagesAsync(string component, string architecture, bool installer, CancellationToken cancellationToken)
    {
        string path = $"{component}/{(installer ? "debian-installer/" : "")}binary-{architecture}/Packages";
        string name = $"{ArchiveUri.Shown(Source.BaseUri).TrimEnd('/')}/dists/{Source.Suite}/{path}";
        Release.Files.TryGetValue(path, out ReleaseEntry? plain);
        if (plain is not null && _client.Pool.Find(plain.Sha256) is { } pooled)
        {
            return PackageIndex.Parse(await File.ReadAllBytesAsync(pooled, cancellationToken), name);
        }

        string packed = ((string[])[".xz", ".gz", ""]).Select(suffix => path + suffix).FirstOrDefault(Release.Files.ContainsKey)
            ?? Release.Require(path + ".xz", Name).Path;
        string fetched = await FetchIndexAsync(packed, cancellationToken);
        long limit = plain?.Size ?? MaxIndex;
        if (limit > MaxIndex)
        {
            throw new VirtigoException(FailureKind.Archive, $"{name} has {limit} bytes; at most {MaxIndex} are read.");
        }

        byte[] text = await Decompression.ReadAllAsync(fetched, Path.GetExtension(packed), limit, name, cancellationToken);
        if (plain is not null && packed != path)
        {
            await _client.Pool.AddAsync(plain.Sha256, name, resume: false, (file, token) => file.WriteAsync(text, token).AsTask(), cancellationToken);
        }

        return PackageIndex.Parse(text, name);
    }

    /// <summary>Fetches a file that the Release lists.</summary>
    /// <param name="pathBelowSuite">Its path as in the Release.</param>
    /// <param name="cancellationToken">Ends the fetch.</param>
    /// <returns>The pooled path.</returns>
    /// <exception cref="VirtigoException">The Release does not list it, or every mirror lacks it (<see cref="FailureKind.Archive"/>).</exception>
    public async Task<string> FetchIndexAsync(string pathBelowSuite, CancellationToken cancellationToken)
    {
        ReleaseEntry entry = Release.Require(pathBelowSuite, Name);
        return await TryFetchIndexAsync(entry, cancellationToken) ?? throw Missing($"dists/{Source.Suite}/{pathBelowSuite}");
    }

    /// <summary>Fetches a file that the Release lists.</summary>
    /// <returns>The pooled path, or null when every mirror lacks it.</returns>
    public Task<string?> TryFetchIndexAsync(ReleaseEntry entry, CancellationToken cancellationToken)
    {
        string suite = $"dists/{Source.Suite}/";
        string folder = entry.Path.Contains('/', StringComparison.Ordinal) ? entry.Path[..(entry.Path.LastIndexOf('/') + 1)] : "";
        string[] paths = Release.AcquireByHash
            ? [$"{suite}{folder}by-hash/SHA256/{entry.Sha256}", suite + entry.Path]
            : [suite + entry.Path];
        return _client.TryFetchAsync(Source, paths, entry.Sha256, entry.Size, MaxIndex, askAgain: false, cancellationToken);
    }

    /// <summary>Fetches a file that some verified list, as an installer's SHA256SUMS, names by hash but without a size.</summary>
    /// <param name="path">Its path below the archive's root.</param>
    /// <param name="sha256">The hash it must have.</param>
    /// <param name="maxSize">The most bytes read.</param>
    /// <param name="cancellationToken">Ends the fetch.</param>
    /// <returns>The pooled path, or null when every mirror lacks it.</returns>
    public Task<string?> TryFetchFileAsync(string path, string sha256, long maxSize, CancellationToken cancellationToken) =>
        _client.TryFetchAsync(Source, [path], sha256, size: null, maxSize, askAgain: false, cancellationToken);

    /// <summary>Fetches a package.</summary>
    /// <returns>The pooled path.</returns>
    /// <exception cref="VirtigoException">Every mirror lacks it (<see cref="FailureKind.Archive"/>).</exception>
    public async Task<string> FetchPackageAsync(PackageEntry package, CancellationToken cancellationToken) =>
        await TryFetchPackageAsync(package, cancellationToken) ?? throw Missing(package.Filename);

    /// <summary>Fetches a package.</summary>
    /// <returns>The pooled path, or null when every mirror lacks it.</returns>
    public Task<string?> TryFetchPackageAsync(PackageEntry package, CancellationToken cancellationToken) =>
        TryFetchPackageAsync(package, askAgain: true, cancellationToken);

    /// <summary>Fetches several packages that can be done without, in parallel.</summary>
    /// <returns>The pooled paths in the same order; null where every mirror lacks the file, now or within the last day, or where it is not in the cache while offline.</returns>
    public async Task<IReadOnlyList<string?>> TryFetchPackagesAsync(IReadOnlyList<PackageEntry> packages, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<string?>[] fetches = [.. packages.Select(async package =>
        {
            try
            {
                return IsOffline ? _client.Pool.Find(package.Sha256) : await TryFetchPackageAsync(package, askAgain: false, stop.Token);
            }
            catch
            {
                await stop.CancelAsync();
                throw;
            }
        })];
        try
        {
            return await Task.WhenAll(fetches);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // One failed and ended the others: that one is the news.
            throw fetches.Select(fetch => fetch.Exception?.InnerException).First(e => e is not null)!;
        }
    }

    private Task<string?> TryFetchPackageAsync(PackageEntry package, bool askAgain, CancellationToken cancellationToken) =>
        _client.TryFetchAsync(Source, [package.Filename], package.Sha256, package.Size, package.Size, askAgain, cancellationToken);

    /// <summary>Whether nothing is asked of a network.</summary>
    public bool IsOffline => _client.Options.Offline;

    private VirtigoException Missing(string path) => new(FailureKind.Archive,
        $"Mirror file missing: {string.Join(", ", Source.Mirrors.Select(mirror => ArchiveUri.Shown(ArchiveUri.Below(mirror, path))))}"
        + " is listed in the archive's signed index, but the mirror answers that it has no such file.",
        "The mirror is incomplete: use another one.");
}
