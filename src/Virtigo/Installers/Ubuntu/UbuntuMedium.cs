using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Installers.Debian;

namespace Virtigo.Installers.Ubuntu;

/// <summary>An installation medium on the host's disk.</summary>
/// <param name="Path">The image file.</param>
/// <param name="Name">What it is called in manifests: its address, or the file's name.</param>
/// <param name="Sha256">Its hash.</param>
/// <param name="Verified">What vouches for it, as in <see cref="ProxyRecord"/>.</param>
internal sealed record UbuntuMedium(string Path, string Name, string Sha256, string Verified)
{
    private const long MaxKernelBytes = 256L << 20;
    private const long MaxInitrdBytes = 1L << 30;
    private const int MaxInfoBytes = 4096;

    /// <summary>The medium as one of the files the build was made of.</summary>
    public ProxyRecord Record => new(Name, 200, new FileInfo(Path).Length, Sha256, Verified, FromCache: true);

    /// <summary>A file of the user's own. Its hash is remembered for as long as it is not written to.</summary>
    /// <param name="path">The file.</param>
    /// <param name="paths">Where hashes are remembered.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException">It cannot be read.</exception>
    public static async Task<UbuntuMedium> OfFileAsync(string path, HostPaths paths, CancellationToken cancellationToken)
    {
        try
        {
            string remembered = System.IO.Path.Combine(Folder(paths), PartsHash.Of([Identity(path)]));
            string name = System.IO.Path.GetFileName(path);
            if (File.Exists(remembered) && await File.ReadAllTextAsync(remembered, cancellationToken) is var known && Text.IsSha256(known))
            {
                return new UbuntuMedium(path, name, known, "given");
            }

            await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.Asynchronous | FileOptions.SequentialScan);
            string hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
            await AtomicFile.WriteTextAsync(remembered, hash, cancellationToken);
            return new UbuntuMedium(path, name, hash, "given");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Usage, $"The medium {path} cannot be read: {error.Message}", "Give the path of the live-server ISO image.", error);
        }
    }

    /// <summary>Tells a file from what stood at its path at another time.</summary>
    public static string Identity(string path)
    {
        var info = new FileInfo(path);
        return string.Create(CultureInfo.InvariantCulture, $"{path} {(info.Exists ? info.Length : -1)} {info.LastWriteTimeUtc.Ticks}");
    }

    /// <summary>Where what is known of media is kept.</summary>
    public static string Folder(HostPaths paths) => System.IO.Path.Combine(paths.Installers, "media");

    /// <summary>Checks that it is a live-server medium of a release, and takes its kernel and initial file system out of it.</summary>
    /// <param name="release">The release.</param>
    /// <param name="paths">Where they are kept.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: it is another medium, or damaged.</exception>
    public async Task<InstallerBuild> UnpackAsync(UbuntuRelease release, HostPaths paths, CancellationToken cancellationToken)
    {
        using IsoImage image = IsoImage.Open(Path);
        string info = Check(image, release);
        string folder = System.IO.Path.Combine(Folder(paths), "ubuntu-" + Sha256[..32]);
        string kernel = await TakeAsync(image, "casper/vmlinuz", MaxKernelBytes, folder, cancellationToken);
        return new InstallerBuild
        {
            Version = info,
            KernelVersion = KernelVersion(kernel),
            KernelPath = kernel,
            InitrdPath = await TakeAsync(image, "casper/initrd", MaxInitrdBytes, folder, cancellationToken),
            UdebCpioPath = "",
            TemplatesPath = "",
            Components = [],
            Source = $"{Name}, SHA-256 {Sha256}, {(Verified == "given" ? "as it was given" : "verified by the signed SHA256SUMS beside it")}",
            Suite = "",
            SuiteRelease = "",
            CacheKey = Sha256,
            Medium = this,
        };
    }

    private string Check(IsoImage image, UbuntuRelease release)
    {
        string what = $"The medium {Name}";
        if (image.Find(".disk/info") is not { IsFolder: false } file)
        {
            throw Wrong(image.Find("casper") is null
                ? $"{what} is no medium of Ubuntu's: it has neither .disk/info nor casper/; its label is '{Printable(image.Label)}'"
                : $"{what} does not say what it is: it has no .disk/info");
        }

        string info = Printable(Encoding.UTF8.GetString(image.Read(file, MaxInfoBytes)).Trim());
        if (!info.StartsWith("Ubuntu-Server", StringComparison.Ordinal))
        {
            throw Wrong($"{what} is no live-server medium: it says it is '{info}'");
        }

        string[] version = info.Split(' ') is [_, var number, ..] ? number.Split('.') : [];
        if (version is not [var year, var month, ..] || $"{year}.{month}" != release.Version)
        {
            throw Wrong($"{what} says it is '{info}', but the release asked for is {release.Codename}, which is {release.Version}");
        }

        return info.Contains(" amd64 ", StringComparison.Ordinal) ? info : throw Wrong($"{what} is for another architecture than amd64: it says it is '{info}'");
    }

    private async Task<string> TakeAsync(IsoImage image, string name, long limit, string folder, CancellationToken cancellationToken)
    {
        IsoFile file = image.Find(name) is { IsFolder: false, Size: > 0 } found ? found : throw Wrong($"The medium {Name} has no {name}, by which a live-server medium starts");
        if (file.Size > limit)
        {
            throw Wrong(string.Create(CultureInfo.InvariantCulture, $"The medium {Name} has a {name} of {file.Size >> 20} MiB; at most {limit >> 20} MiB are read"));
        }

        string path = System.IO.Path.Combine(folder, System.IO.Path.GetFileName(name));
        if (!File.Exists(path) || new FileInfo(path).Length != file.Size)
        {
            await AtomicFile.WriteAsync(path, (output, token) => image.CopyAsync(file, output, token), cancellationToken: cancellationToken);
        }

        return path;
    }

    /// <summary>What the kernel's own header says, as Linux's boot protocol has it.</summary>
    private static string KernelVersion(string path)
    {
        byte[] start = new byte[0x4000];
        using FileStream file = File.OpenRead(path);
        int count = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        int at = count > 0x210 && start.AsSpan(0x202, 4).SequenceEqual("HdrS"u8) ? BinaryPrimitives.ReadUInt16LittleEndian(start.AsSpan(0x20E)) + 0x200 : count;
        return at > 0x200 && at < count ? Printable(Encoding.ASCII.GetString(start, at, Math.Min(128, count - at)).Split(' ', '\0')[0]) : "unknown";
    }

    private static string Printable(string text) => string.Concat(text.Take(120).Select(character => character is < ' ' or > '~' ? '?' : character));

    private static VirtigoException Wrong(string problem) => new(FailureKind.Usage, problem + ".",
        "Give the live-server ISO of the release, such as ubuntu-24.04.3-live-server-amd64.iso.");
}
