using System.Buffers.Binary;

namespace Virtigo.Images;

/// <summary>A partition.</summary>
/// <param name="Number">Its number, as Linux counts; 0 for a disk that is not divided.</param>
/// <param name="Start">Where it begins, in bytes.</param>
/// <param name="Length">How long it is, in bytes.</param>
internal sealed record Partition(int Number, long Start, long Length)
{
    /// <summary>What the table says it is for: a number of two digits, or a GUID in small letters; empty for a disk that is not divided.</summary>
    public string Type { get; init; } = "";

    /// <summary>The name in a GPT; empty elsewhere. A guest's word.</summary>
    public string Name { get; init; } = "";
}

/// <summary>How a disk is divided.</summary>
/// <param name="Scheme">Which table it has.</param>
/// <param name="SectorBytes">The size of the sectors that the table counts in.</param>
/// <param name="TableEnd">The first byte that the table at the beginning does not use.</param>
/// <param name="FirstUsed">The first byte of what the table gives to anything.</param>
/// <param name="Partitions">The partitions; the whole disk as one when there is no table.</param>
internal sealed record DiskLayout(PartitionScheme Scheme, int SectorBytes, long TableEnd, long FirstUsed, IReadOnlyList<Partition> Partitions);

/// <summary>A kind of partition table.</summary>
internal enum PartitionScheme
{
    None,
    Mbr,
    Gpt,
}

/// <summary>Reads how a disk is divided: GPT, or the older table with its chain of logical partitions.</summary>
internal static class PartitionTable
{
    private const int Sector = 512;
    private const int LargeSector = 4096;
    private const int MostEntries = 1024;
    private const int MostLogical = 128;
    private const byte Protective = 0xEE;
    private static readonly byte[] s_extended = [0x05, 0x0F, 0x85];

    /// <summary>The partitions; the whole disk as one when it has no table. What lies outside the disk is left out.</summary>
    public static IReadOnlyList<Partition> Read(DiskRange disk) => Layout(disk).Partitions;

    /// <summary>How the disk is divided. Only a GPT tells the size of sectors: the older table is taken to count in 512 bytes unless it is said.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="sector">The size of its sectors in bytes, if that is known.</param>
    public static DiskLayout Layout(DiskRange disk, int? sector = null)
    {
        var whole = new DiskLayout(PartitionScheme.None, sector ?? Sector, 0, 0, [new Partition(0, 0, disk.Length)]);
        byte[] first = new byte[Sector];
        if (!disk.Has(0, Sector))
        {
            return whole with { Partitions = [] };
        }

        disk.Read(0, first);
        Entry[] primary = [.. Entries(first)];
        if (!HasSignature(first))
        {
            return whole;
        }

        DiskLayout found;
        if (primary.Any(entry => entry.Type == Protective))
        {
            int size = sector ?? (IsModern(disk, Sector) || !IsModern(disk, LargeSector) ? Sector : LargeSector);
            found = Modern(disk, size);
        }
        else
        {
            int size = sector ?? Sector;
            long lowest = primary.Where(entry => entry.Type != 0).Select(entry => entry.First * size).DefaultIfEmpty(disk.Length).Min();
            found = new DiskLayout(PartitionScheme.Mbr, size, size, lowest, [.. Old(disk, primary, size)]);
        }

        Partition[] inside = [.. found.Partitions.Where(one => one.Length > 0 && disk.Has(one.Start, one.Length))];
        return found.Partitions.Count == 0 && found.Scheme == PartitionScheme.Mbr ? whole : found.Partitions.Count == 0 ? found with { Partitions = whole.Partitions }
            : found with { Partitions = inside };
    }

    private static bool IsModern(DiskRange disk, int sector)
    {
        Span<byte> magic = stackalloc byte[8];
        if (!disk.Has(sector, magic.Length))
        {
            return false;
        }

        disk.Read(sector, magic);
        return magic.SequenceEqual("EFI PART"u8);
    }

    private static bool HasSignature(ReadOnlySpan<byte> sector) => sector[510] == 0x55 && sector[511] == 0xAA;

    private static IEnumerable<Entry> Entries(byte[] sector) => Enumerable.Range(0, 4).Select(index =>
    {
        ReadOnlySpan<byte> entry = sector.AsSpan(446 + (16 * index), 16);
        return new Entry(index + 1, entry[4], BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]), BinaryPrimitives.ReadUInt32LittleEndian(entry[12..]));
    });

    private static IEnumerable<Partition> Old(DiskRange disk, Entry[] primary, int sector)
    {
        foreach (Entry entry in primary.Where(entry => entry.Type != 0 && !s_extended.Contains(entry.Type)))
        {
            yield return Old(entry.Number, entry, 0, sector);
        }

        foreach (Entry extended in primary.Where(entry => s_extended.Contains(entry.Type)).Take(1))
        {
            foreach (Partition logical in Logical(disk, extended.First, sector))
            {
                yield return logical;
            }
        }
    }

    private static Partition Old(int number, Entry entry, long at, int sector) =>
        new(number, (at + entry.First) * sector, entry.Count * sector) { Type = Convert.ToHexStringLower([entry.Type]) };

    private static IEnumerable<Partition> Logical(DiskRange disk, long extended, int sectorBytes)
    {
        byte[] sector = new byte[Sector];
        long at = extended;
        for (int number = 5; number < 5 + MostLogical && disk.Has(at * sectorBytes, Sector); number++)
        {
            disk.Read(at * sectorBytes, sector);
            Entry[] pair = [.. Entries(sector)];
            if (!HasSignature(sector) || pair[0].Type == 0)
            {
                yield break;
            }

            yield return Old(number, pair[0], at, sectorBytes);
            if (pair[1].Type == 0)
            {
                yield break;
            }

            at = extended + pair[1].First;
        }
    }

    private static DiskLayout Modern(DiskRange disk, int sector)
    {
        var found = new List<Partition>();
        var layout = new DiskLayout(PartitionScheme.Gpt, sector, 2 * sector, disk.Length, found);
        byte[] header = new byte[Sector];
        if (!disk.Has(sector, Sector))
        {
            return layout;
        }

        disk.Read(sector, header);
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(80));
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(84));
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(72));
        ulong sectors = (ulong)(disk.Length / sector);
        if (!header.AsSpan(0, 8).SequenceEqual("EFI PART"u8) || size is < 128 or > 4096 || table > sectors)
        {
            return layout;
        }

        byte[] entry = new byte[size];
        for (int index = 0; index < Math.Min(count, MostEntries); index++)
        {
            long at = ((long)table * sector) + ((long)index * size);
            if (!disk.Has(at, size))
            {
                break;
            }

            disk.Read(at, entry);
            ulong first = BinaryPrimitives.ReadUInt64LittleEndian(entry.AsSpan(32));
            ulong last = BinaryPrimitives.ReadUInt64LittleEndian(entry.AsSpan(40));
            if (entry.AsSpan(0, 16).ContainsAnyExcept((byte)0) && first <= last && last < sectors)
            {
                found.Add(new Partition(index + 1, (long)first * sector, (long)(last - first + 1) * sector)
                {
                    Type = new Guid(entry.AsSpan(0, 16)).ToString(),
                    Name = System.Text.Encoding.Unicode.GetString(entry.AsSpan(56, 72)).TrimEnd('\0'),
                });
            }
        }

        return layout with
        {
            TableEnd = Math.Max(layout.TableEnd, ((long)table * sector) + (Math.Min(count, MostEntries) * (long)size)),
            FirstUsed = found.Select(one => one.Start).DefaultIfEmpty(disk.Length).Min(),
        };
    }

    private readonly record struct Entry(int Number, byte Type, long First, long Count);
}
