using System.Security.Cryptography;
using System.Text;
using Virtigo.Host;

namespace Virtigo.Archives;

/// <summary>A Release as received, verified, and remembered between runs. Its files are in the pool.</summary>
internal sealed record SignedRelease
{
    private SignedRelease()
    {
    }

    /// <summary>What the verified text says.</summary>
    public required ReleaseFile Release { get; init; }

    /// <summary>Where it came from, without credentials.</summary>
    public required string Url { get; init; }

    /// <summary>The SHA-256 of the file that carries the text: InRelease, or Release where the archive has no InRelease.</summary>
    public required string Sha256 { get; init; }

    /// <summary>The SHA-256 of Release.gpg, or null for an InRelease.</summary>
    public required string? SignatureSha256 { get; init; }

    /// <summary>The server's tag for it.</summary>
    public required string? ETag { get; init; }

    /// <summary>The server's date for it.</summary>
    public required string? LastModified { get; init; }

    /// <summary>Verifies what was received and puts it into the pool.</summary>
    public static async Task<SignedRelease> VerifyAsync(
        Pool pool, string keyring, Uri uri, FetchResult fetched, byte[] content, byte[]? signature, CancellationToken cancellationToken)
    {
        string sha256 = await pool.AddAsync(content, cancellationToken);
        string? signatureSha256 = signature is null ? null : await pool.AddAsync(signature, cancellationToken);
        try
        {
            return await VerifyPooledAsync(
                pool, keyring, ArchiveUri.Shown(uri), sha256, signatureSha256, fetched.ETag, fetched.LastModified, cancellationToken);
        }
        catch (VirtigoException)
        {
            pool.Remove(sha256);
            throw;
        }
    }

    /// <summary>The Release remembered for a source, verified again, or null when there is none.</summary>
    public static async Task<SignedRelease?> LoadAsync(
        Pool pool, ArchiveSource source, string keyring, CancellationToken cancellationToken)
    {
        string path = StatePath(pool, source);
        if (!File.Exists(path))
        {
            return null;
        }

        ControlParagraph? state = ControlFile.Parse(await File.ReadAllTextAsync(path, cancellationToken), path).FirstOrDefault();
        string? sha256 = state?["SHA256"];
        string? signature = state?["Signature-SHA256"];
        return state?["Url"] is { } url && Text.IsSha256(sha256) && pool.Find(sha256!) is not null
            && (signature is null || (Text.IsSha256(signature) && pool.Find(signature) is not null))
            ? await VerifyPooledAsync(pool, keyring, url, sha256!, signature, state["ETag"], state["Last-Modified"], cancellationToken)
            : null;
    }

    /// <summary>The Release whose signed file (InRelease) has this hash, verified, or null when the pool lacks it.</summary>
    public static async Task<SignedRelease?> FromPoolAsync(Pool pool, string keyring, string sha256, CancellationToken cancellationToken) =>
        pool.Find(sha256) is { } path ? await VerifyPooledAsync(pool, keyring, path, sha256, null, null, null, cancellationToken) : null;

    /// <summary>Remembers it as the source's current one.</summary>
    public Task SaveAsync(Pool pool, ArchiveSource source, CancellationToken cancellationToken)
    {
        IEnumerable<(string Name, string? Value)> fields =
        [
            ("Url", Url), ("SHA256", Sha256), ("Signature-SHA256", SignatureSha256), ("ETag", ETag), ("Last-Modified", LastModified),
        ];
        var state = new ControlParagraph(fields.Where(field => field.Value is not null)
            .Select(field => new KeyValuePair<string, string>(field.Name, field.Value!)));
        return AtomicFile.WriteTextAsync(StatePath(pool, source), state.ToString(), cancellationToken);
    }

    private static async Task<SignedRelease> VerifyPooledAsync(
        Pool pool, string keyring, string url, string sha256, string? signature, string? etag, string? lastModified, CancellationToken cancellationToken)
    {
        string path = pool.PathOf(sha256);
        byte[] text;
        if (signature is null)
        {
            text = await Gpgv.VerifyInlineAsync(path, keyring, url, cancellationToken);
        }
        else
        {
            await Gpgv.VerifyDetachedAsync(path, pool.PathOf(signature), keyring, url, cancellationToken);
            text = await File.ReadAllBytesAsync(path, cancellationToken);
        }

        return new SignedRelease
        {
            Release = ReleaseFile.Parse(text, url),
            Url = url,
            Sha256 = sha256,
            SignatureSha256 = signature,
            ETag = etag,
            LastModified = lastModified,
        };
    }

    private static string StatePath(Pool pool, ArchiveSource source)
    {
        string identity = $"{ArchiveUri.Shown(source.BaseUri).TrimEnd('/')}\n{source.Suite}";
        return Path.Combine(pool.Directory, "suites", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(identity)))[..32]);
    }
}
