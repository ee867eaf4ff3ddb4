using System.Globalization;

namespace Virtigo.Archives;

/// <summary>Opens suites of signed archives. Everything it hands out was verified, down from the archive's keyring.</summary>
/// <param name="pool">Where everything fetched is kept.</param>
/// <param name="options">How to fetch.</param>
internal sealed class ArchiveClient(Pool pool, ArchiveOptions options) : IDisposable
{
    private const long MaxRelease = 16 << 20;
    private readonly Downloader _downloader = new(options);
    private readonly MissingFiles _missing = new(pool, options);
    private readonly SemaphoreSlim _slots = new(Math.Clamp(options.Parallel, 1, 16));

    /// <summary>How many requests were made to mirrors.</summary>
    public int UpstreamRequests => _downloader.Requests;

    /// <summary>Where everything fetched is kept.</summary>
    public Pool Pool => pool;

    /// <summary>How archives are used.</summary>
    public ArchiveOptions Options => options;

    public void Dispose()
    {
        _downloader.Dispose();
        _slots.Dispose();
    }

    /// <summary>Opens a suite: asks the mirrors in order for its Release, unless offline, and verifies it.</summary>
    /// <exception cref="VirtigoException">
    /// No mirror has a Release that verifies: <see cref="FailureKind.Trust"/> when one was refused, else <see cref="FailureKind.Archive"/>;
    /// <see cref="FailureKind.Host"/> when gpgv or the keyring is missing.
    /// </exception>
    public async Task<ArchiveSuite> OpenAsync(ArchiveSource source, CancellationToken cancellationToken)
    {
        string keyring = Gpgv.FindKeyring(source.Keyring);
        if (!ArchiveUri.IsPlainPath(source.Suite))
        {
            throw new VirtigoException(FailureKind.Usage, $"\"{Text.Shorten(source.Suite)}\" is no name of a suite.");
        }

        if (source.Pinned is { } pinned)
        {
            return Use(source, await PinnedAsync(source, pinned, keyring, cancellationToken), known: null, options with { AllowExpired = true });
        }

        SignedRelease? known = await KnownAsync(source, keyring, cancellationToken);
        if (options.Offline)
        {
            return Use(source, known ?? throw new VirtigoException(FailureKind.Archive,
                $"Offline, and the suite \"{source.Suite}\" of {ArchiveUri.Shown(source.BaseUri)} was never fetched before.",
                "Run once without --offline."), known: null, options);
        }

        var failures = new MirrorFailures();
        foreach (Uri mirror in source.Mirrors)
        {
            try
            {
                SignedRelease current = await FetchReleaseAsync(source, mirror, keyring, known, cancellationToken);
                ArchiveSuite suite = Use(source, current, known, options);
                if (current != known)
                {
                    await current.SaveAsync(pool, source, cancellationToken);
                }

                return suite;
            }
            catch (Exception e) when (failures.Keep(e))
            {
                Note(mirror, source, e);
            }
        }

        throw failures.Gravest() ?? new VirtigoException(FailureKind.Archive,
            $"No mirror has the suite \"{source.Suite}\": {string.Join(", ", failures.MissingUrls)} (mirror file missing).",
            "Check the mirror's address and the suite's name.");
    }

    /// <summary>Fetches a file of known hash into the pool, from the first mirror that has it.</summary>
    /// <param name="source">The archive.</param>
    /// <param name="paths">Paths below the archive's root under which a mirror may have it, in order.</param>
    /// <param name="sha256">The hash it must have.</param>
    /// <param name="size">Its size in bytes, or null when only the hash is known.</param>
    /// <param name="maxSize">The most bytes ever read.</param>
    /// <param name="askAgain">Whether to ask mirrors that lately lacked the file once more.</param>
    /// <param name="cancellationToken">Ends the fetch; what was received is kept for the next attempt.</param>
    /// <returns>The pooled path, or null when every mirror lacks the file.</returns>
    public async Task<string?> TryFetchAsync(
        ArchiveSource source,
        IReadOnlyList<string> paths,
        string sha256,
        long? size,
        long maxSize,
        bool askAgain,
        CancellationToken cancellationToken)
    {
        if (pool.Find(sha256) is { } pooled)
        {
            return pooled;
        }

        Uri[] uris = [.. source.Mirrors.SelectMany(mirror => paths.Select(path => ArchiveUri.Below(mirror, path)))];
        if (!askAgain && _missing.Contains(sha256, uris))
        {
            return null;
        }

        if (options.Offline)
        {
            throw new VirtigoException(FailureKind.Archive,
                $"Offline, and {ArchiveUri.Shown(uris[paths.Count - 1])}"
                + $"{(size is null ? "" : $" ({size} bytes)")} is not in the cache {pool.Directory}.", "Run once without --offline.");
        }

        await _slots.WaitAsync(cancellationToken);
        try
        {
            var failures = new MirrorFailures();
            foreach (Uri uri in uris)
            {
                try
                {
                    return await FetchIntoPoolAsync(new FetchRequest(uri, size ?? maxSize, size), sha256, cancellationToken);
                }
                catch (Exception e) when (failures.Keep(e))
                {
                    options.Progress?.Invoke(new FetchProgress(ArchiveUri.Shown(uri), 0, size, Finished: false, e.Message));
                }
            }

            if (failures.Gravest() is { } failure)
            {
                throw failure;
            }

            await _missing.AddAsync(sha256, uris, cancellationToken);
            return null;
        }
        finally
        {
            _slots.Release();
        }
    }

    private async Task<string> FetchIntoPoolAsync(FetchRequest request, string sha256, CancellationToken cancellationToken)
    {
        string shown = ArchiveUri.Shown(request.Uri);
        for (bool again = true; ; again = false)
        {
            bool resumed = false;
            try
            {
                string path = await pool.AddAsync(sha256, shown, resume: true, async (file, token) =>
                {
                    resumed = file.Length > 0;
                    if (request.Size is { } size && file.Length >= size)
                    {
                        // Complete already, or longer than it may be: its hash decides, and a wrong one is fetched anew.
                        return;
                    }

                    await _downloader.FetchAsync(request, file, token);
                }, cancellationToken);
                long length = new FileInfo(path).Length;
                options.Progress?.Invoke(new FetchProgress(shown, length, length, Finished: true));
                return path;
            }
            catch (VirtigoException e) when (again && resumed && e.Kind == FailureKind.Trust)
            {
                // What an earlier attempt left may have come from another, broken mirror; it is gone now.
                options.Progress?.Invoke(new FetchProgress(shown, 0, request.Size, Finished: false, e.Message));
            }
        }
    }

    private async Task<SignedRelease?> KnownAsync(ArchiveSource source, string keyring, CancellationToken cancellationToken)
    {
        try
        {
            return await SignedRelease.LoadAsync(pool, source, keyring, cancellationToken);
        }
        catch (VirtigoException) when (!options.Offline)
        {
            // It no longer verifies, as after a change of keyring: it is fetched again like one never seen.
            return null;
        }
    }

    private async Task<SignedRelease> FetchReleaseAsync(
        ArchiveSource source, Uri mirror, string keyring, SignedRelease? known, CancellationToken cancellationToken)
    {
        string folder = $"dists/{source.Suite}/";
        Uri inline = ArchiveUri.Below(mirror, folder + "InRelease");
        try
        {
            (byte[]? content, FetchResult result) = await FetchSmallAsync(inline, known, cancellationToken);
            return content is null
                ? known!
                : await SignedRelease.VerifyAsync(pool, keyring, inline, result, content, signature: null, cancellationToken);
        }
        catch (MirrorFileMissingException)
        {
            Uri plain = ArchiveUri.Below(mirror, folder + "Release");
            (byte[]? content, FetchResult result) = await FetchSmallAsync(plain, known, cancellationToken);
            if (content is null)
            {
                return known!;
            }

            (byte[]? signature, _) = await FetchSmallAsync(ArchiveUri.Below(mirror, folder + "Release.gpg"), known: null, cancellationToken);
            return await SignedRelease.VerifyAsync(pool, keyring, plain, result, content, signature, cancellationToken);
        }
    }

    private async Task<(byte[]? Content, FetchResult Result)> FetchSmallAsync(
        Uri uri, SignedRelease? known, CancellationToken cancellationToken)
    {
        var request = new FetchRequest(uri, MaxRelease);
        if (known?.Url == ArchiveUri.Shown(uri))
        {
            request = request with { ETag = known.ETag, LastModified = known.LastModified };
        }

        using var content = new MemoryStream();
        FetchResult result = await _downloader.FetchAsync(request, content, cancellationToken);
        return (result.NotModified ? null : content.ToArray(), result);
    }

    /// <summary>The Release that was pinned: from the pool, else from a mirror that still has it.</summary>
    private async Task<SignedRelease> PinnedAsync(ArchiveSource source, string pinned, string keyring, CancellationToken cancellationToken)
    {
        if (await SignedRelease.FromPoolAsync(pool, keyring, pinned, cancellationToken) is { } pooled)
        {
            return pooled;
        }

        string others = "";
        foreach (Uri mirror in options.Offline ? [] : source.Mirrors)
        {
            try
            {
                SignedRelease current = await FetchReleaseAsync(source, mirror, keyring, known: null, cancellationToken);
                if (current.Sha256 == pinned)
                {
                    return current;
                }

                others += string.Create(CultureInfo.InvariantCulture, $"; {ArchiveUri.Shown(mirror)} has one of {current.Release.Date:yyyy-MM-dd HH:mm} UTC");
            }
            catch (Exception error) when (error is MirrorFileMissingException or VirtigoException { Kind: FailureKind.Trust or FailureKind.Archive })
            {
                others += $"; {error.Message.TrimEnd('.')}";
            }
        }

        throw new VirtigoException(FailureKind.Archive,
            $"The Release of \"{source.Suite}\" that is pinned ({pinned[..12]}…) is not in the cache {pool.Directory}{others}.",
            $"Bring it in with a bundle, name a mirror that keeps it, or lock anew what there is now{(options.Offline ? ", or run without --offline" : "")}.");
    }

    private ArchiveSuite Use(ArchiveSource source, SignedRelease current, SignedRelease? known, ArchiveOptions checks)
    {
        ReleaseFile release = current.Release;
        Freshness.Check(release, known?.Release, current.Url, checks);
        if ((release.Codename ?? release.Suite) is { } name && source.Suite != release.Codename && source.Suite != release.Suite)
        {
            throw new VirtigoException(FailureKind.Trust,
                $"{current.Url} is signed, but it is the Release of \"{Text.Shorten(name)}\" and not of \"{source.Suite}\".",
                "Check the suite's name; if it is right, the mirror replays another suite: use another mirror.");
        }

        return new ArchiveSuite(this, source, current);
    }

    private void Note(Uri mirror, ArchiveSource source, Exception e) => options.Progress?.Invoke(
        new FetchProgress($"{ArchiveUri.Shown(mirror).TrimEnd('/')}/dists/{source.Suite}", 0, null, Finished: false, e.Message));

    /// <summary>What went wrong with each mirror, to tell the user the gravest once all were tried.</summary>
    private sealed class MirrorFailures
    {
        private readonly List<VirtigoException> _failures = [];

        public List<string> MissingUrls { get; } = [];

        public bool Keep(Exception e)
        {
            switch (e)
            {
                case MirrorFileMissingException missing:
                    MissingUrls.Add(missing.Url);
                    return true;
                case VirtigoException { Kind: FailureKind.Trust or FailureKind.Archive } failure:
                    _failures.Add(failure);
                    return true;
                default:
                    return false;
            }
        }

        public VirtigoException? Gravest() => _failures.Find(failure => failure.Kind == FailureKind.Trust) ?? _failures.FirstOrDefault();
    }
}
