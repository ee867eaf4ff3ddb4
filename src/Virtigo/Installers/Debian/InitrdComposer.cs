using System.Text;
using Virtigo.Host;

namespace Virtigo.Installers.Debian;

/// <summary>One file to be put into the installer's initial file system.</summary>
/// <param name="Path">Relative; below <c>usr/</c> where a merged file system has links (<c>bin</c>, <c>lib</c>, <c>sbin</c>).</param>
/// <param name="Mode">Permissions.</param>
/// <param name="Content">The content.</param>
internal sealed record InitrdFile(string Path, UnixFileMode Mode, ReadOnlyMemory<byte> Content)
{
    /// <summary>Whether it is what the steps of a plan are handed, byte for byte as the plan has it, and so in the plan's fingerprint.</summary>
    public bool IsHanded { get; init; }

    /// <summary>Path and content of a file that is text, for the key of what it goes into.</summary>
    public string Text => $"{Path}\n{Encoding.UTF8.GetString(Content.Span)}";
}

/// <summary>Puts the initial file system of one install together.</summary>
internal static class InitrdComposer
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private static readonly string[] MergedLinks = ["bin/", "lib/", "lib32/", "lib64/", "libx32/", "sbin/"];

    /// <summary>
    /// Writes the installer's own archive, the components and the given files after each other: the kernel unpacks
    /// concatenated archives in order. The file is readable by its owner only, since answers may hold secrets.
    /// </summary>
    /// <param name="outputPath">The file to write; replaced atomically when present.</param>
    /// <param name="build">The installer.</param>
    /// <param name="extra">Files of this install, unpacked over the installer's; a file of the same path replaces.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    /// <exception cref="ArgumentException">A path would replace a link of the merged file system by a directory.</exception>
    public static Task ComposeAsync(
        string outputPath, InstallerBuild build, IReadOnlyList<InitrdFile> extra, CancellationToken cancellationToken)
    {
        if (extra.FirstOrDefault(file => MergedLinks.Any(link => file.Path.StartsWith(link, StringComparison.Ordinal))) is { } wrong)
        {
            throw new ArgumentException($"'{wrong.Path}' must be below usr/: a directory there would replace a link and stop the boot.", nameof(extra));
        }

        return AtomicFile.WriteAsync(outputPath, (output, token) => WriteAsync(output, build, extra, token), OwnerOnly, cancellationToken);
    }

    private static async Task WriteAsync(
        Stream output, InstallerBuild build, IReadOnlyList<InitrdFile> extra, CancellationToken cancellationToken)
    {
        await AppendAsync(build.InitrdPath, output, cancellationToken);
        await AppendAsync(build.UdebCpioPath, output, cancellationToken);
        var writer = new CpioWriter(output);
        foreach (InitrdFile file in extra)
        {
            await writer.WriteFileAsync(file.Path, file.Mode, file.Content, cancellationToken);
        }

        await writer.FinishAsync(cancellationToken);
    }

    private static async Task AppendAsync(string path, Stream output, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous);
        await file.CopyToAsync(output, 1024 * 1024, cancellationToken);
        int rest = (int)(file.Length % CpioWriter.BlockSize);
        if (rest != 0)
        {
            await output.WriteAsync(new byte[CpioWriter.BlockSize - rest], cancellationToken);
        }
    }
}
