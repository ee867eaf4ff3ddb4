using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace Virtigo.Archives;

/// <summary>One file of a package to be written.</summary>
/// <param name="Path">Relative, without a leading <c>./</c>, at most 255 bytes.</param>
/// <param name="Mode">Permissions.</param>
/// <param name="Content">The content; empty for a symbolic link.</param>
/// <param name="LinkTarget">What a symbolic link says; null for a regular file.</param>
internal sealed record DebFile(string Path, UnixFileMode Mode, ReadOnlyMemory<byte> Content, string? LinkTarget = null);

/// <summary>
/// Writes Debian packages that dpkg and the installer's udpkg read. Equal content gives equal bytes on every host:
/// files are sorted, belong to root and have one time, and the gzip members are stored rather than compressed,
/// which is also the quickest form for an emulated guest.
/// </summary>
internal static class DebWriter
{
    private const UnixFileMode DirectoryMode = (UnixFileMode)0x1ED;
    private const UnixFileMode ControlMode = (UnixFileMode)0x1A4;
    private const int MaximumTarPath = 255;

    /// <summary>Writes a package.</summary>
    /// <param name="output">Where it goes; left open.</param>
    /// <param name="control">The control file, or only its paragraph.</param>
    /// <param name="files">The files to install; the directories above them are added. Two of the same path are an error.</param>
    /// <param name="time">The time given to every file, in whole seconds.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public static async Task WriteAsync(
        Stream output, string control, IEnumerable<DebFile> files, DateTimeOffset time, CancellationToken cancellationToken)
    {
        DebFile[] controlFiles = [new("control", ControlMode, Encoding.UTF8.GetBytes(control.TrimEnd('\n') + "\n"))];
        await output.WriteAsync("!<arch>\n"u8.ToArray(), cancellationToken);
        await MemberAsync(output, "debian-binary", "2.0\n"u8.ToArray(), time, cancellationToken);
        await MemberAsync(output, "control.tar.gz", await TarAsync(controlFiles, time, cancellationToken), time, cancellationToken);
        await MemberAsync(output, "data.tar.gz", await TarAsync(files, time, cancellationToken), time, cancellationToken);
    }

    private static async Task MemberAsync(
        Stream output, string name, ReadOnlyMemory<byte> content, DateTimeOffset time, CancellationToken cancellationToken)
    {
        string header = string.Create(CultureInfo.InvariantCulture,
            $"{name,-16}{time.ToUnixTimeSeconds(),-12}{0,-6}{0,-6}{"100644",-8}{content.Length,-10}`\n");
        await output.WriteAsync(Encoding.ASCII.GetBytes(header), cancellationToken);
        await output.WriteAsync(content, cancellationToken);
        if (content.Length % 2 != 0)
        {
            await output.WriteAsync("\n"u8.ToArray(), cancellationToken);
        }
    }

    private static async Task<ReadOnlyMemory<byte>> TarAsync(
        IEnumerable<DebFile> files, DateTimeOffset time, CancellationToken cancellationToken)
    {
        var buffer = new MemoryStream();
        await using (var gzip = new GZipStream(buffer, CompressionLevel.NoCompression, leaveOpen: true))
        await using (var tar = new TarWriter(gzip, TarEntryFormat.Ustar, leaveOpen: true))
        {
            foreach ((string path, DebFile? file) in WithDirectories(files))
            {
                await tar.WriteEntryAsync(Entry(path, file, time), cancellationToken);
            }
        }

        return buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
    }

    private static SortedDictionary<string, DebFile?> WithDirectories(IEnumerable<DebFile> files)
    {
        var all = new SortedDictionary<string, DebFile?>(StringComparer.Ordinal) { ["./"] = null };
        foreach (DebFile file in files)
        {
            if (Encoding.UTF8.GetByteCount(file.Path) + 2 > MaximumTarPath
                || file.Path.Split('/').Any(part => part is "" or "." or "..") || file.Path.Contains('\0'))
            {
                throw new ArgumentException($"'{file.Path}' cannot be the path of a file in a package.", nameof(files));
            }

            for (int slash = file.Path.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = file.Path.IndexOf('/', slash + 1))
            {
                all[$"./{file.Path[..slash]}/"] = null;
            }

            all.Add("./" + file.Path, file);
        }

        return all;
    }

    private static UstarTarEntry Entry(string path, DebFile? file, DateTimeOffset time)
    {
        UstarTarEntry entry = file switch
        {
            null => new(TarEntryType.Directory, path) { Mode = DirectoryMode },
            { LinkTarget: { } target } => new(TarEntryType.SymbolicLink, path) { Mode = (UnixFileMode)0x1FF, LinkName = target },
            _ => new(TarEntryType.RegularFile, path) { Mode = file.Mode, DataStream = Readable(file.Content) },
        };
        entry.ModificationTime = time;
        (entry.UserName, entry.GroupName) = ("root", "root");
        return entry;
    }

    private static MemoryStream? Readable(ReadOnlyMemory<byte> content) => content.IsEmpty ? null : new MemoryStream(content.ToArray(), writable: false);
}
