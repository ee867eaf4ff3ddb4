namespace Virtigo.Archives;

/// <summary>A suite of a signed Debian archive and where to find it.</summary>
/// <param name="BaseUri">The archive's root: the folder that holds <c>dists/</c> and <c>pool/</c>; http, https or file.</param>
/// <param name="Suite">The suite's name below <c>dists/</c>, as <c>trixie</c> or <c>trixie-security</c>.</param>
/// <param name="Components">The components in use, as <c>main</c>.</param>
/// <param name="OtherMirrors">Further mirrors of the same archive, tried in order after <paramref name="BaseUri"/>.</param>
/// <param name="Keyring">
/// The keyring its signatures are checked against (binary or ASCII-armoured);
/// null for the host's own <c>/usr/share/keyrings/debian-archive-keyring</c>.
/// </param>
public sealed record ArchiveSource(
    Uri BaseUri,
    string Suite,
    IReadOnlyList<string> Components,
    IReadOnlyList<Uri>? OtherMirrors = null,
    string? Keyring = null)
{
    /// <summary>
    /// The SHA-256 of the signed file (<c>InRelease</c>) to use, in lower-case hexadecimal, whatever the mirrors have by now and however old it is;
    /// null for the mirrors' current one.
    /// </summary>
    public string? Pinned { get; init; }

    internal IEnumerable<Uri> Mirrors => OtherMirrors is null ? [BaseUri] : [BaseUri, .. OtherMirrors];
}

/// <summary>How archives are used.</summary>
public sealed record ArchiveOptions
{
    /// <summary>Make no request at all; what is not in the cache is an error. Default: false.</summary>
    public bool Offline { get; init; }

    /// <summary>Accept a Release whose Valid-Until passed, or that is older than one seen before. Default: false.</summary>
    public bool AllowExpired { get; init; }

    /// <summary>How often a request is repeated after a failure that may pass, per mirror; 0 to 20. Default: 3.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>How long a connection may stay without a byte before it is given up. Default: 30 seconds.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The clock for freshness, time limits and pauses. Default: the system's.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Told of everything fetched, from any thread. Default: nobody.</summary>
    public Action<FetchProgress>? Progress { get; init; }

    /// <summary>How many files are fetched at the same time, 1 to 16. Default: 4.</summary>
    public int Parallel { get; init; } = 4;
}

/// <summary>How far the fetching of one file is.</summary>
/// <param name="Url">What is fetched, without credentials.</param>
/// <param name="Received">Bytes at hand so far, including those of an earlier, interrupted fetch.</param>
/// <param name="Total">The file's size in bytes, or null when it is not known.</param>
/// <param name="Finished">Whether the file is complete and verified.</param>
/// <param name="Note">A retry or change of mirror, in words; null for plain progress.</param>
public sealed record FetchProgress(string Url, long Received, long? Total, bool Finished, string? Note = null);
