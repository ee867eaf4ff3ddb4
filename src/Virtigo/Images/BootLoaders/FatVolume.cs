using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Images;

/// <summary>
/// Reads FAT12, FAT16 and FAT32, with long names: what a UEFI looks for on its system partition. Written from the format's published
/// specification; it changes nothing, and everything on the disk is taken for a stranger's word.
/// </summary>
internal sealed class FatVolume : IVolumeFiles
{
    private const int EntryBytes = 32;
    private const int MostDirectoryBytes = 2 << 20;
    private const int MostClusters = 0x0FFF_FFF5;
    private const byte IsFolder = 0x10;
    private const byte IsLabel = 0x08;
    private const byte IsLongName = 0x0F;
    private const int UnitsPerPiece = 13;
    private readonly DiskRange _disk;
    private readonly int _clusterBytes;
    private readonly long _fatAt;
    private readonly long _fatBytes;
    private readonly long _rootAt;
    private readonly int _rootBytes;
    private readonly uint _rootCluster;
    private readonly long _dataAt;
    private readonly uint _clusters;

    private FatVolume(DiskRange disk, ReadOnlySpan<byte> boot, int sector)
    {
        _disk = disk;
        _clusterBytes = boot[13] * sector;
        long fatSectors = Short(boot, 22) is not 0 and var small ? small : Number(boot, 36);
        _rootBytes = Short(boot, 17) * EntryBytes;
        _fatAt = (long)Short(boot, 14) * sector;
        _fatBytes = fatSectors * sector;
        _rootAt = _fatAt + (boot[16] * _fatBytes);
        _dataAt = _rootAt + ((_rootBytes + sector - 1) / sector * sector);
        long sectors = Short(boot, 19) is not 0 and var few ? few : Number(boot, 32);
        _clusters = (uint)Math.Clamp(((sectors * sector) - _dataAt) / Math.Max(1, _clusterBytes), 0, MostClusters);
        Bits = _rootBytes == 0 ? 32 : _clusters < 4085 ? 12 : 16;
        _rootCluster = Bits == 32 ? Number(boot, 44) : 0;
        Id = Number(boot, Bits == 32 ? 67 : 39);
    }

    /// <summary>The bits of an entry of its table: 12, 16 or 32.</summary>
    public int Bits { get; }

    /// <summary>The serial number, by which <c>fstab</c> and GRUB name it.</summary>
    public uint Id { get; }

    /// <summary>The same, as it is written.</summary>
    public string Uuid => $"{Id >> 16:X4}-{Id & 0xFFFF:X4}";

    /// <summary>Opens the file system on a part of a disk.</summary>
    /// <returns>Null when there is none that can be read.</returns>
    public static FatVolume? TryOpen(DiskRange disk)
    {
        Span<byte> boot = stackalloc byte[512];
        if (!disk.Has(0, boot.Length))
        {
            return null;
        }

        disk.Read(0, boot);
        int sector = Short(boot, 11);
        bool known = boot.Slice(54, 3).SequenceEqual("FAT"u8) || boot.Slice(82, 3).SequenceEqual("FAT"u8);
        if (!known || boot[510] != 0x55 || boot[511] != 0xAA || sector is not (512 or 1024 or 2048 or 4096) || boot[13] == 0
            || !int.IsPow2(boot[13]) || boot[16] is 0 or > 2 || Short(boot, 14) == 0)
        {
            return null;
        }

        var volume = new FatVolume(disk, boot, sector);
        return volume._clusters > 0 && disk.Has(volume._dataAt, 0) ? volume : null;
    }

    /// <inheritdoc/>
    public VolumeFile? File(string path) => Find(path) is { Folder: false } entry ? new FatFile(this, entry, path) : null;

    /// <inheritdoc/>
    public IReadOnlyList<string> Names(string folder) => Find(folder) is { Folder: true } entry ? [.. List(entry).Select(one => one.Name)] : [];

    private Entry? Find(string path)
    {
        Entry at = new("/", true, _rootCluster, 0);
        foreach (string word in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!at.Folder || List(at).FirstOrDefault(entry => string.Equals(entry.Name, word, StringComparison.OrdinalIgnoreCase)) is not { } next)
            {
                return null;
            }

            at = next;
        }

        return at;
    }

    private IEnumerable<Entry> List(Entry folder)
    {
        byte[] content = folder.Cluster == 0 ? Root() : Chain(folder.Cluster, MostDirectoryBytes, exactly: false);
        var pieces = new SortedDictionary<int, string>();
        for (int at = 0; at + EntryBytes <= content.Length && content[at] != 0; at += EntryBytes)
        {
            ReadOnlySpan<byte> entry = content.AsSpan(at, EntryBytes);
            byte kind = entry[11];
            if (entry[0] == 0xE5)
            {
                pieces.Clear();
            }
            else if ((kind & 0x3F) == IsLongName)
            {
                pieces[entry[0] & 0x3F] = Piece(entry);
            }
            else
            {
                string name = pieces.Count > 0 ? string.Concat(pieces.Values) : ShortName(entry);
                pieces.Clear();
                if ((kind & IsLabel) == 0 && name is not ("." or ".."))
                {
                    uint cluster = Short(entry, 26) | (Bits == 32 ? (uint)Short(entry, 20) << 16 : 0);
                    yield return new Entry(name, (kind & IsFolder) != 0, cluster, Number(entry, 28));
                }
            }
        }
    }

    private byte[] Root()
    {
        byte[] content = new byte[_rootBytes];
        _disk.Read(_rootAt, content);
        return content;
    }

    private byte[] Chain(uint cluster, long bytes, bool exactly)
    {
        using var content = new MemoryStream();
        byte[] buffer = new byte[_clusterBytes];
        for (long left = bytes; left > 0 && cluster >= 2 && cluster - 2 < _clusters; left -= _clusterBytes)
        {
            _disk.Read(_dataAt + ((long)(cluster - 2) * _clusterBytes), buffer);
            content.Write(buffer, 0, (int)Math.Min(left, _clusterBytes));
            cluster = Next(cluster);
        }

        return !exactly || content.Length == bytes ? content.ToArray() : throw new DamagedDiskException("a file of a FAT is shorter than its entry says");
    }

    private uint Next(uint cluster)
    {
        Span<byte> bytes = stackalloc byte[4];
        bytes.Clear();
        long at = Bits == 12 ? cluster * 3L / 2 : cluster * (long)(Bits / 8);
        int count = Bits == 32 ? 4 : 2;
        if (at + count > _fatBytes)
        {
            throw new DamagedDiskException("a table of a FAT is shorter than its clusters");
        }

        _disk.Read(_fatAt + at, bytes[..count]);
        uint entry = Number(bytes, 0);
        return Bits switch
        {
            32 => entry & 0x0FFF_FFFF,
            16 => entry,
            _ => (cluster & 1) == 0 ? entry & 0xFFF : entry >> 4,
        };
    }

    private static string ShortName(ReadOnlySpan<byte> entry)
    {
        string name = Encoding.Latin1.GetString(entry[..8]).TrimEnd();
        string ending = Encoding.Latin1.GetString(entry.Slice(8, 3)).TrimEnd();
        return ending.Length > 0 ? $"{name}.{ending}" : name;
    }

    private static string Piece(ReadOnlySpan<byte> entry)
    {
        var text = new StringBuilder(UnitsPerPiece);
        for (int i = 0; i < UnitsPerPiece; i++)
        {
            char unit = (char)Short(entry, i < 5 ? 1 + (2 * i) : i < 11 ? 14 + (2 * (i - 5)) : 28 + (2 * (i - 11)));
            if (unit is '\0' or '\uFFFF')
            {
                break;
            }

            text.Append(unit);
        }

        return text.ToString();
    }

    private static uint Number(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static ushort Short(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private sealed record Entry(string Name, bool Folder, uint Cluster, long Size);

    private sealed record FatFile(FatVolume Volume, Entry Of, string At) : VolumeFile(At, Of.Size)
    {
        public override byte[]? Read(int limit) => Size > limit ? null : Volume.Chain(Of.Cluster, Size, exactly: true);
    }
}
