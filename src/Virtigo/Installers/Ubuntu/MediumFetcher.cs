using Virtigo.Archives;
using Virtigo.Host;

namespace Virtigo.Installers.Ubuntu;

/// <summary>Fetches a medium by its address: by what the signed list of checksums beside it says, and nothing else.</summary>
/// <param name="paths">Where signed lists are kept.</param>
/// <param name="client">Fetches; keeps the medium with everything else.</param>
internal sealed class MediumFetcher(HostPaths paths, ArchiveClient client)
{
    private const long MaxMediumBytes = 16L << 30;
    private const int MaxSumsBytes = 1 << 20;
    private const string HostKeyring = "/usr/share/keyrings/ubuntu-archive-keyring";

    /// <summary>The keyring to use: the named one, or the host's own for Ubuntu.</summary>
    /// <exception cref="VirtigoException">There is none (<see cref="FailureKind.Host"/>).</exception>
    public static string FindKeyring(string? named) => named is not null ? Gpgv.FindKeyring(named)
        : ((string[])[HostKeyring + ".gpg", HostKeyring + ".pgp"]).FirstOrDefault(File.Exists) ?? throw new VirtigoException(FailureKind.Host,
            $"The keyring of Ubuntu's archive, {HostKeyring}.gpg, is not installed: nothing of Ubuntu's can be verified without it.",
            "Install it: apt-get install ubuntu-keyring; or name one: --keyring PATH");

    /// <summary>Fetches the medium, unless it is in the cache.</summary>
    /// <param name="address">Its address; <c>SHA256SUMS</c> and <c>SHA256SUMS.gpg</c> are in the same folder.</param>
    /// <param name="keyring">The keyring that vouches for the list.</param>
    /// <param name="cancellationToken">Ends the fetch; what was received is kept for the next attempt.</param>
    /// <exception cref="VirtigoException">It cannot be fetched, or is not what was signed.</exception>
    public async Task<UbuntuMedium> FetchAsync(Uri address, string keyring, CancellationToken cancellationToken)
    {
        string name = Uri.UnescapeDataString(address.Segments[^1]);
        string sums = await SumsAsync(address, keyring, cancellationToken);
        string sha256 = Find(await File.ReadAllLinesAsync(sums, cancellationToken), name) ?? throw new VirtigoException(FailureKind.Archive,
            $"The signed SHA256SUMS beside {ArchiveUri.Shown(address)} does not list {Text.Shorten(name)}.", "Older point releases are taken away: open the folder and take the name of the current one.");
        var folder = new ArchiveSource(new Uri(address, "."), "", []);
        string path = await client.TryFetchAsync(folder, [name], sha256, size: null, MaxMediumBytes, askAgain: true, cancellationToken)
            ?? throw new VirtigoException(FailureKind.Archive, $"There is no {ArchiveUri.Shown(address)} (mirror file missing).", "Check the address.");
        return new UbuntuMedium(path, ArchiveUri.Shown(address), sha256, "signature");
    }

    /// <summary>The hash of a name in such a list, or null. Lines are a hash, a blank, a star or another blank, and the name.</summary>
    internal static string? Find(IEnumerable<string> lines, string name) =>
        lines.Where(line => line.Length > 66 && line[64] == ' ' && line[65] is '*' or ' ' && line[66..].TrimEnd() == name && Text.IsSha256(line[..64]))
            .Select(line => line[..64]).FirstOrDefault();

    /// <summary>The verified list: the server's, or offline the one kept from before.</summary>
    private async Task<string> SumsAsync(Uri address, string keyring, CancellationToken cancellationToken)
    {
        Uri sums = new(address, "SHA256SUMS");
        string kept = Path.Combine(UbuntuMedium.Folder(paths), PartsHash.Of([ArchiveUri.Shown(sums)]));
        (string list, string signature) = (kept + ".sums", kept + ".sums.gpg");
        if (client.Options.Offline)
        {
            if (!File.Exists(list) || !File.Exists(signature))
            {
                throw new VirtigoException(FailureKind.Archive, $"Offline, and {ArchiveUri.Shown(sums)} was never fetched before.", "Run once without --offline, or give the path of the medium.");
            }

            await Gpgv.VerifyDetachedAsync(list, signature, keyring, ArchiveUri.Shown(sums), cancellationToken);
            return list;
        }

        using var downloader = new Downloader(client.Options);
        byte[] text = await FetchAsync(downloader, sums, cancellationToken);
        byte[] signed = await FetchAsync(downloader, new Uri(address, "SHA256SUMS.gpg"), cancellationToken);
        (string newList, string newSignature) = ($"{kept}.{Guid.NewGuid():N}", $"{kept}.{Guid.NewGuid():N}.gpg");
        try
        {
            await AtomicFile.WriteAsync(newList, (file, token) => file.WriteAsync(text, token).AsTask(), cancellationToken: cancellationToken);
            await AtomicFile.WriteAsync(newSignature, (file, token) => file.WriteAsync(signed, token).AsTask(), cancellationToken: cancellationToken);
            await Gpgv.VerifyDetachedAsync(newList, newSignature, keyring, ArchiveUri.Shown(sums), cancellationToken);
            File.Move(newList, list, overwrite: true);
            File.Move(newSignature, signature, overwrite: true);
            return list;
        }
        finally
        {
            File.Delete(newList);
            File.Delete(newSignature);
        }
    }

    private static async Task<byte[]> FetchAsync(Downloader downloader, Uri address, CancellationToken cancellationToken)
    {
        try
        {
            using var content = new MemoryStream();
            await downloader.FetchAsync(new FetchRequest(address, MaxSumsBytes), content, cancellationToken);
            return content.ToArray();
        }
        catch (MirrorFileMissingException missing)
        {
            throw new VirtigoException(FailureKind.Trust, $"There is no {ArchiveUri.Shown(address)}, so nothing vouches for the medium.",
                "Give an address whose folder has SHA256SUMS and SHA256SUMS.gpg, or fetch and check the medium yourself and give its path.", missing);
        }
    }
}
