using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Virtigo.Machines;

/// <summary>
/// Writes a tar archive from a guest below a folder of the host's, so that nothing can get anywhere else: names that climb are refused,
/// links are made last and only when they stay inside, devices are left out, special permission bits are dropped, and entries and bytes
/// are counted.
/// </summary>
/// <param name="root">The folder: absolute, without anything in it that is not of this archive.</param>
/// <param name="limits">The most that is taken.</param>
internal sealed class TreeReceiver(string root, TreeLimits limits)
{
    private const int MostLeftOut = 1000;
    private const int LongestName = 4096;
    private const int LongestMap = 4 << 20;
    private const UnixFileMode Permissions = (UnixFileMode)0x1ff;
    private readonly List<(string Path, string Target)> _symlinks = [];
    private readonly List<(string Path, UnixFileMode Mode, DateTimeOffset Modified)> _folders = [];
    private readonly List<string> _leftOut = [];
    private readonly byte[] _buffer = new byte[64 << 10];
    private long _bytes;
    private int _entries;

    /// <summary>Takes the whole archive.</summary>
    /// <returns>What was left out, at most 1000 names.</returns>
    /// <exception cref="InvalidDataException">The archive is malformed, climbs out of the folder or is too large.</exception>
    public async Task<IReadOnlyList<string>> ReceiveAsync(Stream archive, CancellationToken cancellationToken)
    {
        var reader = new HostileTarReader(archive);
        while (await reader.NextAsync(cancellationToken) is { } entry)
        {
            if (++_entries > limits.Entries)
            {
                throw new InvalidDataException($"the guest's archive has more than {limits.Entries} entries");
            }

            await TakeAsync(reader, entry, cancellationToken);
        }

        MakeSymlinks();
        foreach ((string path, UnixFileMode mode, DateTimeOffset modified) in Enumerable.Reverse(_folders))
        {
            File.SetUnixFileMode(path, mode | UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            Directory.SetLastWriteTimeUtc(path, modified.UtcDateTime);
        }

        return _leftOut;
    }

    /// <summary>The parts of a name below the folder.</summary>
    /// <exception cref="InvalidDataException">It leads elsewhere.</exception>
    public static string[] Parts(string name)
    {
        string[] parts = [.. name.Split('/').Where(part => part is not ("" or "."))];
        return name.Length > LongestName || name.StartsWith('/') || name.Contains('\0', StringComparison.Ordinal) || parts.Contains("..")
            ? throw new InvalidDataException($"the guest's archive names \"{ConsoleText.Printable(name[..Math.Min(name.Length, 200)])}\", which leads out of the folder")
            : parts;
    }

    private async Task TakeAsync(HostileTarReader reader, TarEntryHeader entry, CancellationToken cancellationToken)
    {
        string path = Path.Combine([root, .. Parts(entry.Name)]);
        if (entry.Kind != TarKind.Folder)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        }

        switch (entry.Kind)
        {
            case TarKind.Folder:
                Directory.CreateDirectory(path);
                _folders.Add((path, (UnixFileMode)entry.Mode & Permissions, entry.Modified));
                break;
            case TarKind.File:
                await WriteAsync(reader, entry, path, cancellationToken);
                break;
            case TarKind.HardLink:
                string earlier = Path.Combine([root, .. Parts(entry.Target)]);
                if (!File.Exists(earlier))
                {
                    throw new InvalidDataException($"the guest's archive links \"{ConsoleText.Printable(entry.Name)}\" to a file that it does not hold");
                }

                Count(new FileInfo(earlier).Length);
                File.Copy(earlier, path, overwrite: true);
                break;
            case TarKind.Symlink:
                _symlinks.Add((path, entry.Target));
                break;
            default:
                LeaveOut(entry.Name);
                break;
        }
    }

    private async Task WriteAsync(HostileTarReader reader, TarEntryHeader entry, string path, CancellationToken cancellationToken)
    {
        using (SafeFileHandle file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.None, FileOptions.Asynchronous))
        {
            if (entry.SparseSize is { } size)
            {
                if (size > limits.SparseLength)
                {
                    throw new InvalidDataException($"the guest's archive has a sparse file of {size} bytes");
                }

                await WriteSparseAsync(reader, file, size, cancellationToken);
            }
            else
            {
                await WritePieceAsync(reader, file, 0, entry.Size, cancellationToken);
            }
        }

        File.SetUnixFileMode(path, ((UnixFileMode)entry.Mode & Permissions) | UnixFileMode.UserRead);
        File.SetLastWriteTimeUtc(path, entry.Modified.UtcDateTime);
    }

    private async Task WritePieceAsync(HostileTarReader reader, SafeFileHandle file, long at, long length, CancellationToken cancellationToken)
    {
        Count(length);
        while (length > 0)
        {
            int read = await reader.ReadAsync(_buffer.AsMemory(0, (int)Math.Min(_buffer.Length, length)), cancellationToken);
            if (read == 0)
            {
                throw new InvalidDataException("a file in the guest's archive ends early");
            }

            await RandomAccess.WriteAsync(file, _buffer.AsMemory(0, read), at, cancellationToken);
            at += read;
            length -= read;
        }
    }

    private async Task WriteSparseAsync(HostileTarReader reader, SafeFileHandle file, long size, CancellationToken cancellationToken)
    {
        // The map: a count, then an offset and a length for each piece, one number to a line, filled up to a block.
        var lines = new MapLines(reader, LongestMap);
        long count = await lines.NextAsync(cancellationToken);
        var pieces = new List<(long At, long Length)>();
        for (long i = 0; i < count; i++)
        {
            (long at, long length) = (await lines.NextAsync(cancellationToken), await lines.NextAsync(cancellationToken));
            if (at > size || length > size - at)
            {
                throw new InvalidDataException("a sparse file in the guest's archive has a piece beyond its end");
            }

            pieces.Add((at, length));
        }

        lines.Finish();
        RandomAccess.SetLength(file, size);
        foreach ((long at, long length) in pieces)
        {
            await WritePieceAsync(reader, file, at, length, cancellationToken);
        }
    }

    private void MakeSymlinks()
    {
        foreach ((string path, string target) in _symlinks)
        {
            string from = Path.GetDirectoryName(path)!;
            string leads = Path.GetFullPath(Path.Combine(from, target));
            bool inside = target.Length > 0 && !target.StartsWith('/') && !target.Contains('\0', StringComparison.Ordinal)
                && (leads == root || leads.StartsWith(root + "/", StringComparison.Ordinal)) && !Climbs(from, target);
            if (inside && !Path.Exists(path) && new FileInfo(path).LinkTarget is null)
            {
                File.CreateSymbolicLink(path, target);
            }
            else
            {
                LeaveOut($"{Path.GetRelativePath(root, path)} -> {target}");
            }
        }
    }

    /// <summary>Whether a target goes up after it went down: through another link that could lead anywhere.</summary>
    private bool Climbs(string from, string target)
    {
        int depth = from.Length == root.Length ? 0 : from[(root.Length + 1)..].Split('/').Length;
        bool down = false;
        foreach (string part in target.Split('/').Where(part => part is not ("" or ".")))
        {
            if (part == "..")
            {
                if (down || --depth < 0)
                {
                    return true;
                }
            }
            else
            {
                down = true;
            }
        }

        return false;
    }

    private void LeaveOut(string name)
    {
        if (_leftOut.Count < MostLeftOut)
        {
            _leftOut.Add(ConsoleText.Printable(name));
        }
    }

    private void Count(long bytes)
    {
        if (bytes > limits.Bytes - _bytes)
        {
            throw new InvalidDataException($"the guest's archive holds more than {limits.Bytes} bytes");
        }

        _bytes += bytes;
    }

    /// <summary>The numbers of a sparse file's map.</summary>
    private sealed class MapLines(HostileTarReader reader, int limit)
    {
        private const int Block = 512;
        private readonly byte[] _block = new byte[Block];
        private int _filled;
        private int _at;
        private int _total;

        public async Task<long> NextAsync(CancellationToken cancellationToken)
        {
            const int longest = 20;
            var text = new StringBuilder();
            while (true)
            {
                if (_at == _filled)
                {
                    await FillAsync(cancellationToken);
                }

                byte next = _block[_at++];
                if (next == '\n')
                {
                    return long.TryParse(text.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out long value)
                        ? value
                        : throw new InvalidDataException("the map of a sparse file in the guest's archive is malformed");
                }

                if (text.Append((char)next).Length > longest)
                {
                    throw new InvalidDataException("the map of a sparse file in the guest's archive is malformed");
                }
            }
        }

        /// <summary>Content begins at the next block.</summary>
        public void Finish() => _at = _filled;

        private async Task FillAsync(CancellationToken cancellationToken)
        {
            _total += Block;
            if (_total > limit)
            {
                throw new InvalidDataException("the map of a sparse file in the guest's archive is too long");
            }

            for (_filled = 0; _filled < Block;)
            {
                int read = await reader.ReadAsync(_block.AsMemory(_filled), cancellationToken);
                _filled += read > 0 ? read : throw new InvalidDataException("a sparse file in the guest's archive ends early");
            }

            _at = 0;
        }
    }
}

/// <summary>The most that is taken from a guest in one copy.</summary>
/// <param name="Entries">Files, folders and links.</param>
/// <param name="Bytes">Their content, holes not counted.</param>
/// <param name="SparseLength">The length of a file with its holes.</param>
internal sealed record TreeLimits(int Entries = 1_000_000, long Bytes = 64L << 30, long SparseLength = 1L << 42);
