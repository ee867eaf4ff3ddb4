using System.Buffers.Binary;

namespace Virtigo.Images;

/// <summary>A partition.</summary>
/// <param name="Number">Its number, as Linux counts; 0 for a disk that is not divided.</param>
/// <param name="Start">Where it begins, in bytes.</param>
/// <param name="Length">How long it is, in bytes.</param>
internal sealed record Partition(int Number, long Start, long Length);

/// <summary>Reads how a disk is divided: GPT, or the older table with its chain of logical partitions.</summary>
internal static class PartitionTable
{
    private const int Sector = 512;
    private const int MostEntries = 1024;
    private const int MostLogical = 128;
    private const byte Protective = 0xEE;
    private static readonly byte[] s_extended = [0x05, 0x0F, 0x85];

    /// <summary>The partitions; the whole disk as one when it has no table. What lies outside the disk is left out.</summary>
    public static IReadOnlyList<Partition> Read(DiskRange disk)
    {
        byte[] first = new byte[Sector];
        if (!disk.Has(0, Sector))
        {
            return [];
        }

        disk.Read(0, first);
        Entry[] primary = [.. Entries(first)];
        List<Partition> found = !HasSignature(first) ? []
            : primary.Any(entry => entry.Type == Protective) ? Modern(disk)
            : [.. Old(disk, primary)];
        return found.Count == 0 ? [new Partition(0, 0, disk.Length)] : [.. found.Where(one => one.Length > 0 && disk.Has(one.Start, one.Length))];
    }

    private static bool HasSignature(ReadOnlySpan<byte> sector) => sector[510] == 0x55 && sector[511] == 0xAA;

    private static IEnumerable<Entry> Entries(byte[] sector) => Enumerable.Range(0, 4).Select(index =>
    {
        ReadOnlySpan<byte> entry = sector.AsSpan(446 + (16 * index), 16);
        return new Entry(index + 1, entry[4], BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]), BinaryPrimitives.ReadUInt32LittleEndian(entry[12..]));
    });

    private static IEnumerable<Partition> Old(DiskRange disk, Entry[] primary)
    {
        foreach (Entry entry in primary.Where(entry => entry.Type != 0 && !s_extended.Contains(entry.Type)))
        {
            yield return new Partition(entry.Number, entry.First * Sector, entry.Count * Sector);
        }

        foreach (Entry extended in primary.Where(entry => s_extended.Contains(entry.Type)).Take(1))
        {
            foreach (Partition logical in Logical(disk, extended.First))
            {
                yield return logical;
            }
        }
    }

    private static IEnumerable<Partition> Logical(DiskRange disk, long extended)
    {
        byte[] sector = new byte[Sector];
        long at = extended;
        for (int number = 5; number < 5 + MostLogical && disk.Has(at * Sector, Sector); number++)
        {
            disk.Read(at * Sector, sector);
            Entry[] pair = [.. Entries(sector)];
            if (!HasSignature(sector) || pair[0].Type == 0)
            {
                yield break;
            }

            yield return new Partition(number, (at + pair[0].First) * Sector, pair[0].Count * Sector);
            if (pair[1].Type == 0)
            {
                yield break;
            }

            at = extended + pair[1].First;
        }
    }

    private static List<Partition> Modern(DiskRange disk)
    {
        var found = new List<Partition>();
        byte[] header = new byte[Sector];
        disk.Read(Sector, header);
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(80));
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(84));
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(72));
        if (!header.AsSpan(0, 8).SequenceEqual("EFI PART"u8) || size is < 128 or > 4096 || table > (ulong)(disk.Length / Sector))
        {
            return found;
        }

        byte[] entry = new byte[size];
        for (int index = 0; index < Math.Min(count, MostEntries); index++)
        {
            long at = ((long)table * Sector) + ((long)index * size);
            if (!disk.Has(at, size))
            {
                break;
            }

            disk.Read(at, entry);
            ulong first = BinaryPrimitives.ReadUInt64LittleEndian(entry.AsSpan(32));
            ulong last = BinaryPrimitives.ReadUInt64LittleEndian(entry.AsSpan(40));
            ulong sectors = (ulong)(disk.Length / Sector);
            if (entry.AsSpan(0, 16).ContainsAnyExcept((byte)0) && first <= last && last < sectors)
            {
                found.Add(new Partition(index + 1, (long)first * Sector, (long)(last - first + 1) * Sector));
            }
        }

        return found;
    }

    private readonly record struct Entry(int Number, byte Type, long First, long Count);
}
