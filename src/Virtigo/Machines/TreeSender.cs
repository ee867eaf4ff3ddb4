using System.Formats.Tar;
using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Virtigo.Machines;

/// <summary>Writes files of the host's as a tar archive for a guest, all owned by its root: modes, times, links and holes are kept.</summary>
internal static class TreeSender
{
    private const int Block = 512;
    private const int WorthMapping = 64 << 10;

    /// <summary>Writes a file or a folder.</summary>
    /// <param name="path">The file or folder on the host; itself followed when it is a link.</param>
    /// <param name="name">What a file is called in the archive; a folder's content is put at the top.</param>
    /// <param name="archive">Where to; not disposed.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task SendAsync(string path, string name, Stream archive, CancellationToken cancellationToken)
    {
        await using var writer = new TarWriter(archive, TarEntryFormat.Pax, leaveOpen: true);
        if (!Directory.Exists(path))
        {
            await WriteFileAsync(writer, new FileInfo(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path), name, cancellationToken);
            return;
        }

        foreach (FileSystemInfo info in Walk(new DirectoryInfo(path)))
        {
            string below = Path.GetRelativePath(path, info.FullName);
            if (info.LinkTarget is { } target)
            {
                await writer.WriteEntryAsync(With(new PaxTarEntry(TarEntryType.SymbolicLink, below) { LinkName = target }, info), cancellationToken);
            }
            else if (info is DirectoryInfo)
            {
                await writer.WriteEntryAsync(With(new PaxTarEntry(TarEntryType.Directory, below + "/"), info), cancellationToken);
            }
            else if (!info.Attributes.HasFlag(FileAttributes.Device))
            {
                await WriteFileAsync(writer, (FileInfo)info, below, cancellationToken);
            }
        }
    }

    private static IEnumerable<FileSystemInfo> Walk(DirectoryInfo folder)
    {
        foreach (FileSystemInfo info in folder.EnumerateFileSystemInfos("*", new EnumerationOptions { AttributesToSkip = 0 }))
        {
            yield return info;
            if (info is DirectoryInfo { LinkTarget: null } below)
            {
                foreach (FileSystemInfo deeper in Walk(below))
                {
                    yield return deeper;
                }
            }
        }
    }

    private static PaxTarEntry With(PaxTarEntry entry, FileSystemInfo info)
    {
        entry.Mode = info.LinkTarget is null ? info.UnixFileMode : (UnixFileMode)0x1ff;
        entry.ModificationTime = info.LastWriteTimeUtc;
        return entry;
    }

    private static async Task WriteFileAsync(TarWriter writer, FileInfo info, string name, CancellationToken cancellationToken)
    {
        await using FileStream content = info.OpenRead();
        List<(long At, long Length)>? pieces = content.Length > WorthMapping ? SparseMap.Of(content.SafeFileHandle, content.Length) : null;
        if (pieces is null)
        {
            await writer.WriteEntryAsync(With(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = content }, info), cancellationToken);
            return;
        }

        // GNU's sparse form 1.0: a map in front of the pieces.
        var keys = new Dictionary<string, string>
        {
            ["GNU.sparse.major"] = "1",
            ["GNU.sparse.minor"] = "0",
            ["GNU.sparse.name"] = name,
            ["GNU.sparse.realsize"] = content.Length.ToString(CultureInfo.InvariantCulture),
        };
        await using var packed = new PiecesStream(content.SafeFileHandle, Map(pieces, content.Length), pieces);
        await writer.WriteEntryAsync(With(new PaxTarEntry(TarEntryType.RegularFile, $"GNUSparseFile.0/{info.Name}", keys) { DataStream = packed }, info), cancellationToken);
    }

    private static byte[] Map(List<(long At, long Length)> pieces, long length)
    {
        // GNU tar marks a hole at the end by an empty last piece.
        bool holeAtEnd = pieces.Count == 0 || pieces[^1].At + pieces[^1].Length < length;
        var map = new StringBuilder();
        map.Append(CultureInfo.InvariantCulture, $"{pieces.Count + (holeAtEnd ? 1 : 0)}\n");
        foreach ((long at, long size) in pieces)
        {
            map.Append(CultureInfo.InvariantCulture, $"{at}\n{size}\n");
        }

        if (holeAtEnd)
        {
            map.Append(CultureInfo.InvariantCulture, $"{length}\n0\n");
        }

        return [.. Encoding.ASCII.GetBytes(map.ToString()), .. new byte[(Block - (map.Length % Block)) % Block]];
    }

    /// <summary>A map, then the pieces of a file one after the other.</summary>
    private sealed class PiecesStream(SafeFileHandle file, byte[] map, List<(long At, long Length)> pieces) : Stream
    {
        private long _position;

        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length { get; } = map.Length + pieces.Sum(piece => piece.Length);

        public override long Position
        {
            get => _position;
            set => _position = value;
        }

        public override int Read(Span<byte> buffer)
        {
            if (_position < map.Length)
            {
                int count = Math.Min(buffer.Length, map.Length - (int)_position);
                map.AsSpan((int)_position, count).CopyTo(buffer);
                _position += count;
                return count;
            }

            long before = _position - map.Length;
            foreach ((long at, long length) in pieces)
            {
                if (before < length)
                {
                    int read = RandomAccess.Read(file, buffer[..(int)Math.Min(buffer.Length, length - before)], at + before);
                    _position += read;
                    return read;
                }

                before -= length;
            }

            return 0;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) =>
            _position = origin switch { SeekOrigin.Begin => offset, SeekOrigin.Current => _position + offset, _ => Length + offset };

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
