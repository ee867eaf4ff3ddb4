using System.Globalization;
using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>
/// Writes a cpio archive in the format that the Linux kernel unpacks as an initial file system ("newc", magic 070701).
/// Everything belongs to root, has inode numbers counted from one and the time zero: equal content gives equal bytes.
/// </summary>
/// <param name="output">Where the archive goes; left open.</param>
internal sealed class CpioWriter(Stream output)
{
    /// <summary>The last name of an archive.</summary>
    public const string Trailer = "TRAILER!!!";

    /// <summary>Archives end on a multiple of this many bytes, so that they can be concatenated.</summary>
    public const int BlockSize = 512;

    internal const int HeaderSize = 110;
    internal const int MaximumPathBytes = 4095;
    private const uint DirectoryType = 0x4000;
    private const uint FileType = 0x8000;
    private const uint SymlinkType = 0xA000;
    private readonly HashSet<string> _written = [];
    private uint _inode;
    private long _position;
    private bool _finished;

    /// <summary>Writes a directory, and those above it that were not written yet (mode 0755).</summary>
    /// <param name="path">Relative, without a leading <c>./</c>.</param>
    /// <param name="mode">Permissions.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public async Task WriteDirectoryAsync(string path, UnixFileMode mode, CancellationToken cancellationToken)
    {
        await ParentsAsync(path, cancellationToken);
        await DirectoryAsync(path, mode, cancellationToken);
    }

    /// <summary>Writes a regular file.</summary>
    /// <param name="path">Relative, without a leading <c>./</c>.</param>
    /// <param name="mode">Permissions.</param>
    /// <param name="content">The content.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public async Task WriteFileAsync(string path, UnixFileMode mode, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await ParentsAsync(path, cancellationToken);
        await HeaderAsync(path, FileType | (uint)mode, links: 1, content.Length, cancellationToken);
        await WriteAsync(content, cancellationToken);
        await PadAsync(4, cancellationToken);
    }

    /// <summary>Writes a regular file from a stream.</summary>
    /// <param name="path">Relative, without a leading <c>./</c>.</param>
    /// <param name="mode">Permissions.</param>
    /// <param name="content">A stream with exactly <paramref name="length"/> bytes left.</param>
    /// <param name="length">The file's size in bytes, below 4 GiB.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    /// <exception cref="InvalidDataException">The stream holds fewer or more bytes than said.</exception>
    public async Task WriteFileAsync(string path, UnixFileMode mode, Stream content, long length, CancellationToken cancellationToken)
    {
        await ParentsAsync(path, cancellationToken);
        await HeaderAsync(path, FileType | (uint)mode, links: 1, length, cancellationToken);
        byte[] buffer = new byte[128 * 1024];
        long left = length;
        int read;
        while ((read = await content.ReadAsync(buffer, cancellationToken)) > 0)
        {
            left -= read;
            if (left < 0)
            {
                break;
            }

            await WriteAsync(buffer.AsMemory(0, read), cancellationToken);
        }

        if (left != 0)
        {
            throw new InvalidDataException($"'{path}' was announced with {length} bytes but its content has {(left < 0 ? "more" : "fewer")}.");
        }

        await PadAsync(4, cancellationToken);
    }

    /// <summary>Writes a symbolic link.</summary>
    /// <param name="path">Relative, without a leading <c>./</c>.</param>
    /// <param name="target">What the link says.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public async Task WriteSymlinkAsync(string path, string target, CancellationToken cancellationToken)
    {
        await ParentsAsync(path, cancellationToken);
        byte[] content = Encoding.UTF8.GetBytes(target);
        if (content.Length is 0 or > MaximumPathBytes || content.Contains((byte)0))
        {
            throw new ArgumentException($"'{target}' cannot be the target of a symbolic link.", nameof(target));
        }

        await HeaderAsync(path, SymlinkType | 0x1FF, links: 1, content.Length, cancellationToken);
        await WriteAsync(content, cancellationToken);
        await PadAsync(4, cancellationToken);
    }

    /// <summary>Ends the archive. Nothing can be written after it.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        await RawHeaderAsync(Trailer, inode: 0, mode: 0, links: 1, size: 0, cancellationToken);
        await PadAsync(BlockSize, cancellationToken);
        _finished = true;
    }

    private static void CheckPath(string path)
    {
        if (path.Length == 0 || path == Trailer || path.Contains('\0') || Encoding.UTF8.GetByteCount(path) > MaximumPathBytes
            || path.Split('/').Any(part => part is "" or "." or ".."))
        {
            throw new ArgumentException($"'{path}' cannot be the path of a file in an initial file system.", nameof(path));
        }
    }

    private async Task ParentsAsync(string path, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        CheckPath(path);
        const UnixFileMode Mode = (UnixFileMode)0x1ED;
        for (int slash = path.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = path.IndexOf('/', slash + 1))
        {
            string parent = path[..slash];
            if (!_written.Contains(parent))
            {
                await DirectoryAsync(parent, Mode, cancellationToken);
            }
        }
    }

    private Task DirectoryAsync(string path, UnixFileMode mode, CancellationToken cancellationToken) =>
        HeaderAsync(path, DirectoryType | (uint)mode, links: 2, size: 0, cancellationToken);

    private Task HeaderAsync(string path, uint mode, uint links, long size, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, uint.MaxValue);
        return _written.Add(path)
            ? RawHeaderAsync(path, ++_inode, mode, links, size, cancellationToken)
            : throw new ArgumentException($"'{path}' is already in the archive.", nameof(path));
    }

    private async Task RawHeaderAsync(string path, uint inode, uint mode, uint links, long size, CancellationToken cancellationToken)
    {
        int nameSize = Encoding.UTF8.GetByteCount(path) + 1;

        // magic, inode, mode, uid, gid, nlink, mtime, size, dev major/minor, rdev major/minor, name size, checksum
        string header = string.Create(CultureInfo.InvariantCulture,
            $"070701{inode:X8}{mode:X8}{0:X8}{0:X8}{links:X8}{0:X8}{size:X8}{0:X8}{0:X8}{0:X8}{0:X8}{nameSize:X8}{0:X8}{path}\0");
        await WriteAsync(Encoding.UTF8.GetBytes(header), cancellationToken);
        await PadAsync(4, cancellationToken);
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await output.WriteAsync(bytes, cancellationToken);
        _position += bytes.Length;
    }

    private Task PadAsync(int alignment, CancellationToken cancellationToken) =>
        _position % alignment == 0 ? Task.CompletedTask : WriteAsync(new byte[alignment - (_position % alignment)], cancellationToken);
}
