using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Images;

/// <summary>
/// Reads ISO 9660 images with the names of Rock Ridge, else of Joliet, else their own in lower case. Written from ECMA-119, the Joliet
/// specification and IEEE P1281/P1282; it changes nothing, and everything in the image is taken for a stranger's word.
/// </summary>
internal sealed class IsoImage : IDisposable
{
    /// <summary>The size of a sector in bytes.</summary>
    public const int Sector = 2048;

    private const int FirstDescriptor = 16;
    private const int MaxDescriptors = 64;
    private const int MaxFolderBytes = 16 << 20;
    private const int MaxFolderEntries = 50_000;
    private const int MaxDepth = 16;
    private const int RootRecordAt = 156;
    private const byte PrimaryType = 1;
    private const byte SupplementaryType = 2;
    private const byte EndType = 255;
    private readonly Stream _image;
    private readonly string _name;
    private readonly IsoNames _names;
    private readonly IsoFile _root;

    private IsoImage(Stream image, string name)
    {
        (_image, _name) = (image, name);
        (byte[] primary, byte[]? joliet) = ReadDescriptors();
        Label = Encoding.ASCII.GetString(primary, 40, 32).TrimEnd(' ', '\0');
        _root = Root(primary);
        int? rockRidge = RockRidgeSkip(_root);
        if (rockRidge is null && joliet is not null)
        {
            _root = Root(joliet);
        }

        _names = new IsoNames(rockRidge, rockRidge is null && joliet is not null, ReadArea);
    }

    /// <summary>The volume's label.</summary>
    public string Label { get; }

    /// <summary>Opens an image file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="VirtigoException">It cannot be read or is no ISO 9660 image (<see cref="FailureKind.Usage"/>).</exception>
    public static IsoImage Open(string path)
    {
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Usage, $"{path} cannot be read: {error.Message}", "Give the path of an ISO image.", error);
        }

        try
        {
            return Open(file, path);
        }
        catch (VirtigoException)
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens an image.</summary>
    /// <param name="image">The image; it can seek, and is disposed with this.</param>
    /// <param name="name">What it is called in messages.</param>
    /// <exception cref="VirtigoException">It is no ISO 9660 image (<see cref="FailureKind.Usage"/>).</exception>
    public static IsoImage Open(Stream image, string name) => new(image, name);

    public void Dispose() => _image.Dispose();

    /// <summary>Finds a file or folder.</summary>
    /// <param name="path">Its path, without a first slash.</param>
    /// <returns>The file, or null when there is none of that name.</returns>
    /// <exception cref="VirtigoException">The image is damaged.</exception>
    public IsoFile? Find(string path)
    {
        IsoFile? at = _root;
        string[] parts = path.Split('/');
        foreach (string part in parts.Length <= MaxDepth ? parts : throw new ArgumentException($"more than {MaxDepth} folders", nameof(path)))
        {
            at = at is { IsFolder: true } ? List(at).FirstOrDefault(file => file.Name == part) : null;
        }

        return at;
    }

    /// <summary>What is in a folder.</summary>
    /// <param name="folder">The folder; null for the root.</param>
    /// <exception cref="VirtigoException">The image is damaged.</exception>
    public IReadOnlyList<IsoFile> List(IsoFile? folder = null)
    {
        byte[] records = Read(folder ?? _root, MaxFolderBytes);
        var files = new List<IsoFile>();
        var open = new List<IsoExtent>();
        for (int at = 0; at < records.Length;)
        {
            int length = records[at];
            if (length == 0)
            {
                // No record crosses the end of a sector.
                at = (at / Sector + 1) * Sector;
                continue;
            }

            ReadOnlySpan<byte> record = Record(records, at, length);
            at += length;
            if (IsSelfOrParent(record))
            {
                continue;
            }

            open.Add(Extent(record));
            if ((record[25] & 0x80) == 0)
            {
                files.Add(new IsoFile(_names.Of(record), (record[25] & 2) != 0, [.. open]));
                open.Clear();
            }

            if (files.Count + open.Count > MaxFolderEntries)
            {
                throw Damaged($"a folder has more than {MaxFolderEntries} entries");
            }
        }

        return files;
    }

    /// <summary>Reads a small file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="limit">The most bytes it may have.</param>
    /// <exception cref="VirtigoException">It is larger, or not wholly in the image.</exception>
    public byte[] Read(IsoFile file, int limit)
    {
        if (file.Size > limit)
        {
            throw Damaged($"{(file.Name.Length == 0 ? "a folder" : file.Name)} has {file.Size} bytes, where at most {limit} are expected");
        }

        byte[] content = new byte[file.Size];
        int filled = 0;
        foreach (IsoExtent extent in file.Extents)
        {
            ReadExactly(extent.Offset, content.AsSpan(filled, (int)extent.Bytes));
            filled += (int)extent.Bytes;
        }

        return content;
    }

    /// <summary>Copies a file's content.</summary>
    /// <param name="file">The file.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="cancellationToken">Ends the copying.</param>
    /// <exception cref="VirtigoException">The file is not wholly in the image.</exception>
    public async Task CopyAsync(IsoFile file, Stream destination, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[1 << 20];
        foreach (IsoExtent extent in file.Extents)
        {
            for (long done = 0; done < extent.Bytes;)
            {
                int count = (int)Math.Min(buffer.Length, extent.Bytes - done);
                ReadExactly(extent.Offset + done, buffer.AsSpan(0, count));
                await destination.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
                done += count;
            }
        }
    }

    private (byte[] Primary, byte[]? Joliet) ReadDescriptors()
    {
        byte[]? primary = null;
        byte[]? joliet = null;
        for (int index = 0; index < MaxDescriptors; index++)
        {
            byte[] descriptor = new byte[Sector];
            long at = (long)(FirstDescriptor + index) * Sector;
            if (at + Sector > _image.Length)
            {
                break;
            }

            ReadExactly(at, descriptor);
            if (!descriptor.AsSpan(1, 5).SequenceEqual("CD001"u8) || descriptor[0] == EndType)
            {
                break;
            }

            if (descriptor[0] == PrimaryType)
            {
                primary ??= descriptor;
            }
            else if (descriptor[0] == SupplementaryType && descriptor.AsSpan(88, 2).SequenceEqual("%/"u8) && descriptor[90] is (byte)'@' or (byte)'C' or (byte)'E')
            {
                joliet ??= descriptor;
            }
        }

        return primary is null
            ? throw new VirtigoException(FailureKind.Usage, $"{_name} is no ISO image: it has no ISO 9660 volume.", "Give the image file of an installation disc, whole and not compressed.")
            : BinaryPrimitives.ReadUInt16LittleEndian(primary.AsSpan(128)) == Sector ? (primary, joliet)
            : throw Damaged("its blocks do not have 2048 bytes");
    }

    private IsoFile Root(byte[] descriptor) => new("", IsFolder: true, [Extent(Record(descriptor, RootRecordAt, 34))]);

    /// <summary>What Rock Ridge says to leave out before its entries, from the root's own record; null: there is none.</summary>
    private int? RockRidgeSkip(IsoFile root)
    {
        if (root.Size is 0 or > MaxFolderBytes)
        {
            return null;
        }

        byte[] first = Read(root with { Extents = [root.Extents[0] with { Bytes = Math.Min(root.Size, Sector) }] }, Sector);
        int length = first[0];
        if (length < 34 || length > first.Length)
        {
            return null;
        }

        ReadOnlySpan<byte> use = IsoNames.SystemUse(first.AsSpan(0, length));
        return use is [(byte)'S', (byte)'P', >= 7, _, 0xBE, 0xEF, var skip, ..] ? skip : null;
    }

    private ReadOnlySpan<byte> Record(byte[] records, int at, int length)
    {
        if (length < 34 || at + length > records.Length || 33 + records[at + 32] > length)
        {
            throw Damaged("a directory record is cut off");
        }

        return records.AsSpan(at, length);
    }

    private static bool IsSelfOrParent(ReadOnlySpan<byte> record) => record[32] == 1 && record[33] is 0 or 1;

    private IsoExtent Extent(ReadOnlySpan<byte> record)
    {
        long offset = (BinaryPrimitives.ReadUInt32LittleEndian(record[2..]) + (long)record[1]) * Sector;
        long bytes = BinaryPrimitives.ReadUInt32LittleEndian(record[10..]);
        return offset + bytes <= _image.Length
            ? new IsoExtent(offset, bytes)
            : throw Damaged($"it refers to byte {offset + bytes}, but has {_image.Length}");
    }

    private byte[]? ReadArea(long offset, int bytes)
    {
        if (offset < 0 || offset + bytes > _image.Length)
        {
            return null;
        }

        byte[] area = new byte[bytes];
        ReadExactly(offset, area);
        return area;
    }

    private void ReadExactly(long offset, Span<byte> buffer)
    {
        try
        {
            _image.Position = offset;
            _image.ReadExactly(buffer);
        }
        catch (EndOfStreamException)
        {
            throw Damaged("it ends early");
        }
    }

    private VirtigoException Damaged(string how) =>
        new(FailureKind.Usage, $"{_name} is damaged or incomplete: {how}.", "Compare it with its published checksum, and fetch it again.");
}
