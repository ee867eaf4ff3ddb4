namespace Virtigo.Archives;

/// <summary>Where a guest finds an archive, and what stands behind that name.</summary>
/// <param name="Host">The host name as the guest says it, without a port.</param>
/// <param name="PathPrefix">The archive's root on that host, as <c>debian</c>; empty for the host's own root.</param>
/// <param name="Suites">The suites of that archive the guest may use. Each answers to the names its Release gives it, too.</param>
internal sealed record ProxyRoute(string Host, string PathPrefix, IReadOnlyList<ArchiveSuite> Suites)
{
    /// <summary>The prefix without slashes at its ends.</summary>
    public string Prefix { get; } = PathPrefix.Trim('/');

    /// <summary>The path below the archive's root, or null when the path is not below it.</summary>
    /// <param name="path">A path without its first slash.</param>
    public string? Below(string path) =>
        Prefix.Length == 0 ? path
        : path.Length > Prefix.Length && path[Prefix.Length] == '/' && path.StartsWith(Prefix, StringComparison.Ordinal) ? path[(Prefix.Length + 1)..]
        : null;
}

/// <summary>How an <see cref="ArchiveProxy"/> works.</summary>
internal sealed record ArchiveProxyOptions
{
    /// <summary>The architecture whose packages the guest may have.</summary>
    public string Architecture { get; init; } = "amd64";

    /// <summary>
    /// Indices answered with 404 although the archive has them, since the guest has no use for them: patterns of paths below
    /// the suite, <c>*</c> standing for anything, as <c>*/i18n/Translation-*</c>. Default: none.
    /// </summary>
    public IReadOnlyList<string> RefusedIndices { get; init; } = [];

    /// <summary>How long a connection may wait for its next request. Default: 5 minutes.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// While a file is fetched, the guest gets another header line of its answer each time this passes, so that its own
    /// time-out does not end the request. Default: 8 seconds.
    /// </summary>
    public TimeSpan PatienceInterval { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>Drives the time limits.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Told how many bytes of a file went out, before they do, from any thread; must not block.</summary>
    public Action<long>? OnSent { get; init; }

    /// <summary>Told of every request when it is answered, from any thread; must not block.</summary>
    public Action<ProxyRecord>? OnRecord { get; init; }
}

/// <summary>One thing a guest asked the proxy for.</summary>
/// <param name="Url">What was asked for.</param>
/// <param name="Status">The HTTP status of the answer.</param>
/// <param name="Size">The file's size in bytes; 0 when there was none.</param>
/// <param name="Sha256">The file's SHA-256, lower-case hexadecimal; null when there was none.</param>
/// <param name="Verified">
/// What vouches for the content: "signature" for a suite's own signed file, "release" for a file its Release lists,
/// "packages:SUITE" for a package of its indices, "none" where nothing was handed out.
/// </param>
/// <param name="FromCache">Whether it was at hand before the request.</param>
/// <param name="Problem">Why there was no file, in words; null when there was one.</param>
public sealed record ProxyRecord(string Url, int Status, long Size, string? Sha256, string Verified, bool FromCache, string? Problem = null);
