using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Images;

/// <summary>A partition to make.</summary>
/// <param name="Start">Where it begins, in bytes; a multiple of 1 MiB.</param>
/// <param name="Length">How long it is, in bytes; a multiple of 1 MiB.</param>
/// <param name="Type">What the table says it is for.</param>
/// <param name="Id">Its identity.</param>
internal sealed record PlannedPartition(long Start, long Length, Guid Type, Guid Id)
{
    /// <summary>The identity of the swap space on it; null for none.</summary>
    public Guid? SwapId { get; init; }
}

/// <summary>How an empty disk is divided: a GPT, as the UEFI specification has it.</summary>
/// <param name="Id">The disk's identity.</param>
/// <param name="Partitions">Its partitions.</param>
internal sealed record PartitionPlan(Guid Id, IReadOnlyList<PlannedPartition> Partitions)
{
    /// <summary>The type of a partition with a file system of Linux.</summary>
    public static readonly Guid LinuxData = new("0FC63DAF-8483-4772-8E79-3D69D8477DE4");

    /// <summary>The type of a partition with swap space of Linux.</summary>
    public static readonly Guid LinuxSwap = new("0657FD6D-A4AB-43C4-84E5-0933C84B4F4F");

    private const int Sector = 512;
    private const int Entries = 128;
    private const int EntrySize = 128;
    private const int EntrySectors = Entries * EntrySize / Sector;
    private const int HeaderSize = 92;
    private const int SwapPage = 4096;

    /// <summary>Makes a disk, divided as planned, or an empty one when there are no partitions.</summary>
    /// <param name="path">The disk to make, as qcow2.</param>
    /// <param name="bytes">Its size in bytes; a multiple of 1 MiB.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    public async Task CreateAsync(string path, long bytes, CancellationToken cancellationToken)
    {
        if (Partitions.Count == 0)
        {
            await QemuImage.CreateAsync(path, bytes, cancellationToken);
            return;
        }

        string raw = path + ".raw";
        try
        {
            await using (FileStream file = new(raw, FileMode.CreateNew, FileAccess.Write))
            {
                file.SetLength(bytes);
                Write(file, bytes);
            }

            await QemuImage.RunAsync(["convert", "-q", "-f", "raw", "-O", "qcow2", raw, Path.GetFullPath(path)], $"The disk {path} could not be made.", null, cancellationToken);
        }
        finally
        {
            File.Delete(raw);
        }
    }

    /// <summary>Writes the tables and the heads of swap spaces to an empty disk.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="bytes">Its size in bytes.</param>
    public void Write(Stream disk, long bytes)
    {
        long last = (bytes / Sector) - 1;
        byte[] entries = new byte[Entries * EntrySize];
        foreach ((int index, PlannedPartition partition) in Partitions.Index())
        {
            Span<byte> entry = entries.AsSpan(index * EntrySize, EntrySize);
            partition.Type.TryWriteBytes(entry);
            partition.Id.TryWriteBytes(entry[16..]);
            BinaryPrimitives.WriteInt64LittleEndian(entry[32..], partition.Start / Sector);
            BinaryPrimitives.WriteInt64LittleEndian(entry[40..], ((partition.Start + partition.Length) / Sector) - 1);
        }

        Put(disk, 0, Protective(last));
        Put(disk, 1, Header(entries, own: 1, other: last, table: 2, last));
        Put(disk, 2, entries);
        Put(disk, last - EntrySectors, entries);
        Put(disk, last, Header(entries, own: last, other: 1, table: last - EntrySectors, last));
        foreach (PlannedPartition partition in Partitions.Where(one => one.SwapId is not null))
        {
            Put(disk, partition.Start / Sector, SwapHead(partition));
        }
    }

    private static void Put(Stream disk, long sector, ReadOnlySpan<byte> bytes)
    {
        disk.Position = sector * Sector;
        disk.Write(bytes);
    }

    private static byte[] Protective(long last)
    {
        byte[] sector = new byte[Sector];
        sector[448] = 2;
        sector[450] = 0xEE;
        sector.AsSpan(451, 3).Fill(0xFF);
        BinaryPrimitives.WriteUInt32LittleEndian(sector.AsSpan(454), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(sector.AsSpan(458), (uint)Math.Min(last, uint.MaxValue));
        (sector[510], sector[511]) = (0x55, 0xAA);
        return sector;
    }

    private byte[] Header(byte[] entries, long own, long other, long table, long last)
    {
        byte[] header = new byte[Sector];
        "EFI PART"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), 0x10000);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(12), HeaderSize);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), own);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(32), other);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(40), 2 + EntrySectors);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(48), last - EntrySectors - 1);
        Id.TryWriteBytes(header.AsSpan(56));
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(72), table);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(80), Entries);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(84), EntrySize);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(88), Checksum(entries));
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(16), Checksum(header.AsSpan(0, HeaderSize)));
        return header;
    }

    // CRC-32 as IEEE 802.3 has it.
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint sum = uint.MaxValue;
        foreach (byte one in bytes)
        {
            sum ^= one;
            for (int bit = 0; bit < 8; bit++)
            {
                sum = (sum >> 1) ^ (0xEDB88320 & (0 - (sum & 1)));
            }
        }

        return ~sum;
    }

    // The first page: 1024 bytes for a boot loader, then version, last page, bad pages, identity; the mark is at its end.
    private static byte[] SwapHead(PlannedPartition partition)
    {
        byte[] page = new byte[SwapPage];
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(1024), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(1028), (uint)Math.Min((partition.Length / SwapPage) - 1, uint.MaxValue));
        partition.SwapId!.Value.TryWriteBytes(page.AsSpan(1036), bigEndian: true, out _);
        Encoding.ASCII.GetBytes("SWAPSPACE2").CopyTo(page, SwapPage - 10);
        return page;
    }
}
