using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Virtigo.Archives;
using Virtigo.Host;

namespace Virtigo.Installers.Debian;

/// <summary>
/// Gets kernel and initial file system of an archive's installer: from its images directory, whose list of hashes is
/// itself listed in the signed Release, or from the package of the same archive that carries the same files.
/// </summary>
/// <param name="paths">Where the cache is.</param>
internal sealed partial class InstallerBaseStore(HostPaths paths)
{
    private const string Component = "main";
    private const string CompressedInitrd = "initrd.gz";
    private const int Format = 1;
    private const int MaximumSumsBytes = 4 * 1024 * 1024;
    private const long MaximumDownload = 512L * 1024 * 1024;
    private const long MaximumInitrd = 2L * 1024 * 1024 * 1024;

    /// <summary>Returns the installer of a suite, unpacking it at first use.</summary>
    /// <param name="suite">The suite.</param>
    /// <param name="architecture">Debian's name of the architecture.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="VirtigoException">The archive has no installer, or what it has is not one (<see cref="FailureKind.Archive"/>).</exception>
    public async Task<InstallerBase> GetAsync(ArchiveSuite suite, string architecture, CancellationToken cancellationToken)
    {
        string imagesPath = $"{Component}/installer-{architecture}/current/images";
        suite.Release.Files.TryGetValue(imagesPath + "/SHA256SUMS", out ReleaseEntry? sums);
        if (sums is not null && await ReadAsync(KeyOf("images", architecture, sums.Sha256), cancellationToken) is { } images)
        {
            return images;
        }

        PackageEntry? package = await FindPackageAsync(suite, architecture, cancellationToken);
        if (package is not null && await ReadAsync(KeyOf("package", architecture, package.Sha256), cancellationToken) is { } unpacked)
        {
            return unpacked;
        }

        try
        {
            if (sums is not null && await TryImagesAsync(suite, architecture, imagesPath, sums, cancellationToken) is { } fetched)
            {
                return fetched;
            }
        }
        catch (VirtigoException e) when (package is not null && e.Kind is FailureKind.Archive or FailureKind.Trust)
        {
            // Out of reach, or of another day than the Release, as on a mirror that copies parts at different times.
            // The package is listed in the same signed Release.
        }

        return package is not null
            ? await UnpackAsync(suite, architecture, package, cancellationToken)
            : throw new VirtigoException(FailureKind.Archive,
                $"The archive {ArchiveUri.Shown(suite.Source.BaseUri)} has no installer of {suite.Source.Suite} for {architecture}: "
                + $"its {imagesPath} {(sums is null ? "is not listed in the Release" : "lacks the netboot images")}, "
                + $"and it has no package debian-installer-*-netboot-{architecture}.",
                "Use another mirror, or an architecture that the installer supports.");
    }

    private static async Task<PackageEntry?> FindPackageAsync(ArchiveSuite suite, string architecture, CancellationToken cancellationToken)
    {
        PackageIndex packages = await suite.PackagesAsync(Component, architecture, installer: false, cancellationToken);
        string ending = $"-netboot-{architecture}";
        return packages.All
            .Where(package => package.Name.StartsWith("debian-installer-", StringComparison.Ordinal)
                && package.Name.EndsWith(ending, StringComparison.Ordinal))
            .OrderByDescending(package => package.Version)
            .ThenByDescending(package => package.Name, StringComparer.Ordinal)
            .FirstOrDefault();
    }

    private static string KeyOf(string kind, string architecture, string sha256) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"installer {Format} {kind} {architecture} {sha256}")));

    private static string? HashOf(string sums, string path) => sums.Split('\n')
        .Select(line => line.Split(' ', 2, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        .FirstOrDefault(parts => parts.Length == 2 && parts[1].TrimStart('*') == path)?[0];

    private async Task<InstallerBase?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        string directory = DirectoryOf(key);
        InstallerBaseRecord? record = await InstallerJson.TryReadAsync(
            Path.Combine(directory, InstallerBase.RecordName), InstallerJson.Default.InstallerBaseRecord, cancellationToken);
        return record is not null && new InstallerBase(key, directory, record) is { IsComplete: true } found ? found : null;
    }

    private string DirectoryOf(string key) => Path.Combine(paths.Installers, "base-" + key[..32]);

    /// <summary>Uses the images directory; null when the mirror lacks it.</summary>
    private async Task<InstallerBase?> TryImagesAsync(
        ArchiveSuite suite, string architecture, string imagesPath, ReleaseEntry sums, CancellationToken cancellationToken)
    {
        string folder = $"netboot/debian-installer/{architecture}";
        if (await suite.TryFetchIndexAsync(sums, cancellationToken) is not { } list)
        {
            return null;
        }

        string text = Encoding.UTF8.GetString(await BoundedAsync(list, MaximumSumsBytes, cancellationToken));
        string? kernel = await FetchImageAsync(InstallerBase.KernelName);
        string? initrd = await FetchImageAsync(CompressedInitrd);
        if (kernel is null || initrd is null)
        {
            return null;
        }

        Task<string?> FetchImageAsync(string name) => HashOf(text, $"./{folder}/{name}") is { } hash
            ? suite.TryFetchFileAsync($"dists/{suite.Source.Suite}/{imagesPath}/{folder}/{name}", hash, MaximumDownload, cancellationToken)
            : Task.FromResult<string?>(null);

        var origin = new Origin("images directory", null);
        return await MakeAsync(KeyOf("images", architecture, sums.Sha256), origin, async directory =>
        {
            File.Copy(kernel, Path.Combine(directory, InstallerBase.KernelName));
            await using FileStream compressed = File.OpenRead(initrd);
            await DecompressAsync(compressed, directory, cancellationToken);
        }, cancellationToken);
    }

    private async Task<InstallerBase> UnpackAsync(
        ArchiveSuite suite, string architecture, PackageEntry package, CancellationToken cancellationToken)
    {
        var origin = new Origin($"package {package.Name} {package.Version}", package.Version.ToString());
        return await MakeAsync(KeyOf("package", architecture, package.Sha256), origin, async directory =>
        {
            string path = await suite.FetchPackageAsync(package, cancellationToken);
            await Task.Run(() => ExtractAsync(path, package, architecture, directory, cancellationToken), cancellationToken);
        }, cancellationToken);
    }

    private static async Task ExtractAsync(
        string path, PackageEntry package, string architecture, string directory, CancellationToken cancellationToken)
    {
        using DebPackage deb = DebPackage.Open(path);
        (bool kernel, bool initrd) = (false, false);
        foreach (DebEntry file in deb.Files())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (file.Content is null || ImagePath().Match(file.Path) is not { Success: true } match || match.Groups["arch"].Value != architecture)
            {
                continue;
            }

            if (match.Groups["name"].Value == InstallerBase.KernelName)
            {
                await using FileStream copy = File.Create(Path.Combine(directory, InstallerBase.KernelName));
                await file.Content.CopyToAsync(copy, cancellationToken);
                kernel = true;
            }
            else
            {
                await DecompressAsync(file.Content, directory, cancellationToken);
                initrd = true;
            }

            if (kernel && initrd)
            {
                return;
            }
        }

        throw new VirtigoException(FailureKind.Archive,
            $"The package {package.Name} {package.Version} has no text installer for {architecture} "
            + $"(usr/lib/debian-installer/images/*/{architecture}/text/debian-installer/{architecture}/linux and {CompressedInitrd}).",
            "Use another mirror: this archive's installer package is not laid out as Debian's.");
    }

    private static async Task DecompressAsync(Stream compressed, string directory, CancellationToken cancellationToken)
    {
        await using FileStream plain = File.Create(Path.Combine(directory, InstallerBase.InitrdName));
        await using var gzip = new GZipStream(compressed, CompressionMode.Decompress, leaveOpen: true);
        byte[] buffer = new byte[256 * 1024];
        int read;
        while ((read = await gzip.ReadAsync(buffer, cancellationToken)) > 0)
        {
            await plain.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            if (plain.Length > MaximumInitrd)
            {
                throw new InvalidDataException($"it has more than {MaximumInitrd} bytes");
            }
        }
    }

    private async Task<InstallerBase> MakeAsync(string key, Origin origin, Func<string, Task> unpack, CancellationToken cancellationToken) =>
        await CacheDirectory.GetAsync(DirectoryOf(key), _ => ReadAsync(key, cancellationToken), async directory =>
        {
            try
            {
                await unpack(directory);
                await using FileStream initrd = File.OpenRead(Path.Combine(directory, InstallerBase.InitrdName));
                (InstallerContents contents, IReadOnlyDictionary<string, string> templates) =
                    await InstallerContents.ReadAsync(initrd, cancellationToken);
                await using FileStream templatesFile = File.Create(Path.Combine(directory, InstallerBase.TemplatesName));
                await InstallerTemplates.WriteAsync(templatesFile, templates, cancellationToken);
                await using FileStream record = File.Create(Path.Combine(directory, InstallerBase.RecordName));
                await JsonSerializer.SerializeAsync(record, new InstallerBaseRecord(origin.Shown, origin.Version, contents),
                    InstallerJson.Default.InstallerBaseRecord, cancellationToken);
            }
            catch (InvalidDataException e)
            {
                throw new VirtigoException(FailureKind.Archive,
                    $"The initial file system of the installer ({origin.Shown}) is not what Debian's installer has: {e.Message}",
                    "Use another mirror.", e);
            }
        }, cancellationToken);

    private static async Task<byte[]> BoundedAsync(string path, int limit, CancellationToken cancellationToken) =>
        new FileInfo(path).Length <= limit
            ? await File.ReadAllBytesAsync(path, cancellationToken)
            : throw new VirtigoException(FailureKind.Archive, $"The list of the installer's files has more than {limit} bytes.", "Use another mirror.");

    [GeneratedRegex("^usr/lib/debian-installer/images/[^/]+/[^/]+/text/debian-installer/(?<arch>[^/]+)/(?<name>linux|initrd\\.gz)$",
        RegexOptions.ExplicitCapture)]
    private static partial Regex ImagePath();

    private sealed record Origin(string Shown, string? Version);
}
