using System.Collections.Concurrent;
using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Archives;

/// <summary>A verified file of the pool, ready to be handed to a guest.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Sha256">Its hash.</param>
/// <param name="Modified">The date of the Release it belongs to.</param>
/// <param name="Verified">What vouches for it, as in <see cref="ProxyRecord"/>.</param>
/// <param name="FromCache">Whether it was at hand before.</param>
internal sealed record ProxyFile(string Path, string Sha256, DateTimeOffset Modified, string Verified, bool FromCache);

/// <summary>Finds, fetches and verifies what stands behind a path of an archive.</summary>
/// <param name="suites">The archive's suites.</param>
/// <param name="pool">Where verified files are.</param>
/// <param name="options">Architecture and refused indices.</param>
internal sealed class ProxyCatalog(IReadOnlyList<ArchiveSuite> suites, Pool pool, ArchiveProxyOptions options)
{
    private readonly SingleFlight<string, string?> _fetches = new();
    private readonly SingleFlight<ArchiveSuite, string> _texts = new();
    private readonly ConcurrentDictionary<(ArchiveSuite, string Component, bool Installer), PackageIndex> _indices = [];
    private readonly SingleFlight<(ArchiveSuite, string Component, bool Installer), PackageIndex> _openings = new();

    /// <summary>Gets a file.</summary>
    /// <param name="path">Its path below the archive's root.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ProxyRequestException">The archive has no such file, or the guest may not have it.</exception>
    /// <exception cref="VirtigoException">The file cannot be fetched or does not verify.</exception>
    public async Task<ProxyFile> GetAsync(string path, CancellationToken cancellationToken)
    {
        foreach (ArchiveSuite suite in suites)
        {
            foreach (string? name in (string?[])[suite.Source.Suite, suite.Release.Codename, suite.Release.Suite])
            {
                string folder = $"dists/{name}/";
                if (name is not null && path.StartsWith(folder, StringComparison.Ordinal))
                {
                    return await GetOfSuiteAsync(suite, path[folder.Length..], cancellationToken);
                }
            }
        }

        return await GetPackageAsync(path, cancellationToken);
    }

    private static ProxyRequestException Unknown(string path) => new(404, $"\"{Text.Shorten(path)}\" is unknown to the archive.");

    private async Task<ProxyFile> GetOfSuiteAsync(ArchiveSuite suite, string path, CancellationToken cancellationToken)
    {
        if (suite.SignedFiles.TryGetValue(path, out string? signed))
        {
            return new ProxyFile(signed, System.IO.Path.GetFileName(signed), suite.Release.Date, "signature", FromCache: true);
        }

        if (path == "Release")
        {
            string text = await _texts.RunAsync(suite, token => ReadSignedTextAsync(suite, token), cancellationToken);
            return new ProxyFile(pool.PathOf(text), text, suite.Release.Date, "signature", FromCache: true);
        }

        ReleaseEntry entry = FindEntry(suite, path) ?? throw Unknown(path);
        if (options.RefusedIndices.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, entry.Path, ignoreCase: false)))
        {
            throw new ProxyRequestException(404, $"\"{entry.Path}\" is not handed to this guest.");
        }

        return await FetchAsync(entry.Sha256, entry.Path, suite, "release", token => FetchIndexAsync(suite, entry, token), cancellationToken);
    }

    private static ReleaseEntry? FindEntry(ArchiveSuite suite, string path)
    {
        const string byHash = "by-hash/SHA256/";
        int at = path.LastIndexOf(byHash, StringComparison.Ordinal);
        if (at < 0)
        {
            return suite.Release.Files.GetValueOrDefault(path);
        }

        string hash = path[(at + byHash.Length)..];
        return suite.Release.Files.Values.FirstOrDefault(entry => entry.Sha256 == hash
            && entry.Path.StartsWith(path[..at], StringComparison.Ordinal) && !entry.Path[at..].Contains('/', StringComparison.Ordinal));
    }

    /// <summary>The text of an InRelease as a file of its own: what gpgv says was signed, and nothing around it.</summary>
    private async Task<string> ReadSignedTextAsync(ArchiveSuite suite, CancellationToken cancellationToken)
    {
        byte[] text = await Gpgv.VerifyInlineAsync(suite.InReleasePath, Gpgv.FindKeyring(suite.Source.Keyring),
            $"{ArchiveUri.Shown(suite.Source.BaseUri)} {suite.Source.Suite}", cancellationToken);
        return await pool.AddAsync(text, cancellationToken);
    }

    /// <summary>Fetches an index; an uncompressed one is made from a compressed one where the Release lists both.</summary>
    private async Task<string?> FetchIndexAsync(ArchiveSuite suite, ReleaseEntry entry, CancellationToken cancellationToken)
    {
        if (ReleaseOfIndex(suite.Release, entry) is { } text)
        {
            return pool.PathOf(await pool.AddAsync(text, cancellationToken));
        }

        foreach (string suffix in (string[])[".xz", ".gz"])
        {
            if (suite.Release.Files.TryGetValue(entry.Path + suffix, out ReleaseEntry? packed)
                && await suite.TryFetchIndexAsync(packed, cancellationToken) is { } path)
            {
                return await pool.AddAsync(entry.Sha256, (file, token) => Task.Run(() => Unpack(path, suffix, entry, file), token), cancellationToken);
            }
        }

        return await suite.TryFetchIndexAsync(entry, cancellationToken);
    }

    /// <summary>
    /// The few lines about one index that stand beside it, made from the signed Release: they are the same facts, as its hash proves. A mirror
    /// that copies parts at different times has those of another day, and an installer takes that for a mirror without its architecture.
    /// </summary>
    private static byte[]? ReleaseOfIndex(ReleaseFile release, ReleaseEntry entry)
    {
        if (entry.Path.Split("/binary-") is not [var component, var rest] || rest.Split('/') is not [var architecture, "Release"])
        {
            return null;
        }

        (string Name, string? Value)[] lines =
        [
            ("Archive", release.Suite), ("Origin", release.Origin), ("Label", release["Label"]), ("Version", release.Version),
            ("Acquire-By-Hash", release["Acquire-By-Hash"]), ("Component", component), ("Architecture", architecture),
        ];
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(lines.Where(line => line.Value is not null).Select(line => $"{line.Name}: {line.Value}\n")));
        return Convert.ToHexStringLower(SHA256.HashData(text)) == entry.Sha256 ? text : null;
    }

    private static void Unpack(string path, string suffix, ReleaseEntry entry, Stream destination)
    {
        try
        {
            using var unpacked = new BoundedStream(Decompression.Open(File.OpenRead(path), suffix, entry.Path), entry.Size, entry.Path);
            unpacked.CopyTo(destination, 1 << 17);
        }
        catch (Exception error) when (Decompression.IsDamage(error))
        {
            throw new VirtigoException(FailureKind.Archive, $"{entry.Path}{suffix} is damaged: {error.Message}", "Use another mirror.", error);
        }
    }

    private async Task<ProxyFile> GetPackageAsync(string path, CancellationToken cancellationToken)
    {
        string file = path[(path.LastIndexOf('/') + 1)..];
        bool installer = file.EndsWith(".udeb", StringComparison.Ordinal);
        if (!installer && !file.EndsWith(".deb", StringComparison.Ordinal))
        {
            throw Unknown(path);
        }

        string name = file.Split('_')[0];
        foreach (ArchiveSuite suite in suites)
        {
            foreach (string component in suite.Source.Components)
            {
                PackageIndex? index = await IndexAsync(suite, component, installer, cancellationToken);
                PackageEntry? package = index?.Find(name) is { } newest && newest.Filename == path
                    ? newest
                    : index?.FindAll(name).FirstOrDefault(entry => entry.Filename == path);
                if (package is not null)
                {
                    return await FetchAsync(package.Sha256, path, suite, $"packages:{suite.Source.Suite}",
                        token => suite.TryFetchPackageAsync(package, token), cancellationToken);
                }
            }
        }

        throw Unknown(path);
    }

    private async Task<PackageIndex?> IndexAsync(ArchiveSuite suite, string component, bool installer, CancellationToken cancellationToken)
    {
        string path = $"{component}/{(installer ? "debian-installer/" : "")}binary-{options.Architecture}/Packages";
        if (!((string[])["", ".xz", ".gz"]).Any(suffix => suite.Release.Files.ContainsKey(path + suffix)))
        {
            return null;
        }

        var key = (suite, component, installer);
        if (!_indices.TryGetValue(key, out PackageIndex? index))
        {
            index = await _openings.RunAsync(key,
                token => suite.PackagesAsync(component, options.Architecture, installer, token), cancellationToken);
            _indices.TryAdd(key, index);
        }

        return index;
    }

    private async Task<ProxyFile> FetchAsync(string sha256, string name, ArchiveSuite suite, string verified,
        Func<CancellationToken, Task<string?>> fetch, CancellationToken cancellationToken)
    {
        bool fromCache = pool.Find(sha256) is not null;
        string? path = pool.Find(sha256) ?? await _fetches.RunAsync(sha256, fetch, cancellationToken);
        return path is null
            ? throw new ProxyRequestException(404, $"Mirror file missing: the archive's indices list \"{Text.Shorten(name)}\", but no mirror has it.")
            : new ProxyFile(path, sha256, suite.Release.Date, verified, fromCache);
    }
}

/// <summary>Lets callers that want the same thing at the same time wait for one piece of work.</summary>
internal sealed class SingleFlight<TKey, TResult>
    where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Lazy<Task<TResult>>> _running = [];

    /// <summary>Joins the work under this key, or starts it.</summary>
    /// <param name="key">What the work is for.</param>
    /// <param name="work">The work; it gets the token of the caller that started it.</param>
    /// <param name="cancellationToken">Ends the waiting; and the work, when this caller started it.</param>
    public async Task<TResult> RunAsync(TKey key, Func<CancellationToken, Task<TResult>> work, CancellationToken cancellationToken)
    {
        while (true)
        {
            var mine = new Lazy<Task<TResult>>(() => Task.Run(() => work(cancellationToken), cancellationToken));
            Lazy<Task<TResult>> running = _running.GetOrAdd(key, mine);
            try
            {
                return await running.Value.WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException) when (running != mine && !cancellationToken.IsCancellationRequested)
            {
                // Whoever started it has left; it is ours to do now.
            }
            finally
            {
                if (running == mine || running.Value.IsCompleted)
                {
                    _running.TryRemove(new KeyValuePair<TKey, Lazy<Task<TResult>>>(key, running));
                }
            }
        }
    }
}
