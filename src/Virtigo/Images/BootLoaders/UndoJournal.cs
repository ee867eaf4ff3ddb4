using System.Buffers.Binary;
using System.Security.Cryptography;
using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>
/// What a disk held before a change, in a file beside it for as long as the change lasts. Who finds one puts the disk back, unless it was
/// changed by another since.
/// </summary>
internal sealed class UndoJournal
{
    private const int MostBytes = 512 << 20;
    private const int MostEntries = 1 << 20;
    private const int Sector = 512;
    private const int HashBytes = 32;
    private static readonly byte[] s_magic = "VIRTIGO-UNDO-1\n\0"u8.ToArray();
    private readonly string _path;
    private readonly IReadOnlyList<(DiskChange Old, byte[] New)> _entries;

    private UndoJournal(string path, IReadOnlyList<(DiskChange Old, byte[] New)> entries) => (_path, _entries) = (path, entries);

    /// <summary>What puts the disk back.</summary>
    public IEnumerable<DiskChange> Undo => _entries.Select(entry => entry.Old);

    /// <summary>The journal's file for a disk.</summary>
    public static string PathOf(string disk) => Path.GetFullPath(disk) + ".virtigo-undo";

    /// <summary>Writes down what changes will replace, on storage before it returns.</summary>
    public static async Task<UndoJournal> WriteAsync(string disk, DiskContent content, IReadOnlyList<DiskChange> changes, CancellationToken cancellationToken)
    {
        var entries = new List<(DiskChange Old, byte[] New)>();
        using var body = new MemoryStream();
        byte[] number = new byte[12];
        foreach (DiskChange change in changes)
        {
            byte[] old = new byte[change.Bytes.Length];
            content.Read(change.Offset, old);
            entries.Add((new DiskChange(change.Offset, old), change.Bytes));
            BinaryPrimitives.WriteInt64LittleEndian(number, change.Offset);
            BinaryPrimitives.WriteInt32LittleEndian(number.AsSpan(8), old.Length);
            body.Write(number);
            body.Write(old);
            body.Write(change.Bytes);
        }

        byte[] bytes = body.ToArray();
        string path = PathOf(disk);
        await AtomicFile.WriteAsync(path, async (file, token) =>
        {
            await file.WriteAsync(s_magic, token);
            await file.WriteAsync(SHA256.HashData(bytes), token);
            await file.WriteAsync(bytes, token);
        }, UnixFileMode.UserRead | UnixFileMode.UserWrite, cancellationToken);
        DiskFile.FlushFolder(Path.GetDirectoryName(path)!);
        return new UndoJournal(path, entries);
    }

    /// <summary>Reads the journal of a disk.</summary>
    /// <returns>Null when there is none.</returns>
    /// <exception cref="VirtigoException">It is damaged (<see cref="FailureKind.Host"/>).</exception>
    public static UndoJournal? Find(string disk)
    {
        string path = PathOf(disk);
        if (!File.Exists(path))
        {
            return null;
        }

        if (new FileInfo(path).Length > MostBytes || Parse(File.ReadAllBytes(path)) is not { } entries)
        {
            throw new VirtigoException(FailureKind.Host, $"{path} is not what a change of {disk} left behind: it is damaged, or another's file.",
                "Look at it; move it away to go on with the disk as it is.");
        }

        return new UndoJournal(path, entries);
    }

    /// <summary>Whether everything the change was about is as it was before, or as it would be after it: nobody else wrote there.</summary>
    public bool Fits(DiskContent content)
    {
        byte[] now = new byte[Sector];
        foreach ((DiskChange old, byte[] fresh) in _entries)
        {
            for (int at = 0; at < old.Bytes.Length; at += Sector)
            {
                int count = Math.Min(Sector, old.Bytes.Length - at);
                if (old.Offset < 0 || old.Offset + at + count > content.Length)
                {
                    return false;
                }

                content.Read(old.Offset + at, now.AsSpan(0, count));
                if (!now.AsSpan(0, count).SequenceEqual(old.Bytes.AsSpan(at, count)) && !now.AsSpan(0, count).SequenceEqual(fresh.AsSpan(at, count)))
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Ends it: the disk is whole.</summary>
    public void Remove()
    {
        File.Delete(_path);
        DiskFile.FlushFolder(Path.GetDirectoryName(_path)!);
    }

    /// <summary>Reads what a journal holds; null when it is no whole journal.</summary>
    internal static IReadOnlyList<(DiskChange Old, byte[] New)>? Parse(ReadOnlySpan<byte> file)
    {
        int head = s_magic.Length + HashBytes;
        if (file.Length < head || !file.StartsWith(s_magic) || !SHA256.HashData(file[head..]).AsSpan().SequenceEqual(file.Slice(s_magic.Length, HashBytes)))
        {
            return null;
        }

        var entries = new List<(DiskChange, byte[])>();
        ReadOnlySpan<byte> left = file[head..];
        while (!left.IsEmpty)
        {
            if (left.Length < 12 || entries.Count >= MostEntries)
            {
                return null;
            }

            long offset = BinaryPrimitives.ReadInt64LittleEndian(left);
            int length = BinaryPrimitives.ReadInt32LittleEndian(left[8..]);
            left = left[12..];
            if (offset < 0 || length <= 0 || length > left.Length / 2)
            {
                return null;
            }

            entries.Add((new DiskChange(offset, left[..length].ToArray()), left.Slice(length, length).ToArray()));
            left = left[(2 * length)..];
        }

        return entries;
    }
}
