using System.Buffers.Binary;

namespace Virtigo.Images;

/// <summary>A run of sectors that a boot loader reads.</summary>
/// <param name="Sector">The first, counted in 512 bytes.</param>
/// <param name="Count">How many.</param>
internal readonly record struct SectorRun(long Sector, int Count);

/// <summary>GRUB for a BIOS as it lies on a disk: the boot sector that reads one sector, that which reads the rest, and the rest.</summary>
/// <param name="CoreSector">Where the boot sector looks for the core, in sectors of 512 bytes.</param>
/// <param name="Runs">Where the core lies; empty when there is no core there.</param>
internal sealed record BiosLoader(long CoreSector, IReadOnlyList<SectorRun> Runs)
{
    /// <summary>What the BIOS counts in, whatever the disk does.</summary>
    public const int Sector = 512;

    /// <summary>How much of the boot sector is code: what follows is the disk's number and its table.</summary>
    public const int CodeBytes = 440;

    private const int CoreAt = 0x5C;
    private const int DriveCheckAt = 0x66;
    private const int ListAt = 0x1F4;
    private const int ListEntry = 12;
    private const int FewestListBytes = 0x160;
    private const int MostCoreBytes = 16 << 20;

    /// <summary>Reads what is in the first sector; null when that is no boot sector of GRUB.</summary>
    public static BiosLoader? Read(DiskRange disk)
    {
        byte[] boot = new byte[Sector];
        if (!disk.Has(0, Sector))
        {
            return null;
        }

        disk.Read(0, boot);
        if (!IsGrub(boot))
        {
            return null;
        }

        return At(disk, BinaryPrimitives.ReadInt64LittleEndian(boot.AsSpan(CoreAt)));
    }

    /// <summary>Reads what is in a sector, whether or not the first one looks for a core there.</summary>
    public static BiosLoader At(DiskRange disk, long core) => new(core, FindRuns(disk, core));

    /// <summary>The core, its sectors put together; null when it lies outside the disk or is unbelievably long.</summary>
    public byte[]? ReadCore(DiskRange disk)
    {
        long bytes = Runs.Sum(run => (long)run.Count) * Sector;
        if (Runs.Count == 0 || bytes > MostCoreBytes || Runs.Any(run => !disk.Has(run.Sector * Sector, (long)run.Count * Sector)))
        {
            return null;
        }

        byte[] core = new byte[bytes];
        int at = 0;
        foreach (SectorRun run in Runs)
        {
            disk.Read(run.Sector * Sector, core.AsSpan(at, run.Count * Sector));
            at += run.Count * Sector;
        }

        return core;
    }

    /// <summary>The first bytes of a disk that start a core at a sector: all but the disk's number and its table.</summary>
    public static byte[] BootSector(ReadOnlySpan<byte> image, long core)
    {
        byte[] code = image[..CodeBytes].ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(code.AsSpan(CoreAt), core);

        // The jump that trusts the drive's number only from a floppy's BIOS: a disk's is always given.
        code[DriveCheckAt] = 0x90;
        code[DriveCheckAt + 1] = 0x90;
        return code;
    }

    /// <summary>A core that lies in one piece from a sector on, whole sectors long.</summary>
    public static byte[] Placed(ReadOnlySpan<byte> core, long sector)
    {
        byte[] placed = new byte[(core.Length + Sector - 1) / Sector * Sector];
        core.CopyTo(placed);
        Span<byte> list = placed.AsSpan(FewestListBytes, ListAt - FewestListBytes);

        // A core that was taken from a disk may have been in pieces.
        if (BinaryPrimitives.ReadUInt16LittleEndian(placed.AsSpan(ListAt - ListEntry + 8)) != 0)
        {
            list[^ListEntry..].Clear();
        }

        BinaryPrimitives.WriteInt64LittleEndian(placed.AsSpan(ListAt), sector + 1);
        BinaryPrimitives.WriteUInt16LittleEndian(placed.AsSpan(ListAt + 8), checked((ushort)((placed.Length / Sector) - 1)));
        return placed;
    }

    /// <summary>Whether a sector begins as GRUB's does, and has its message.</summary>
    private static bool IsGrub(ReadOnlySpan<byte> sector) =>
        sector[510] == 0x55 && sector[511] == 0xAA && sector[0] == 0xEB && sector[0x100..0x1B8].IndexOf("Geom\0"u8) >= 0;

    private static List<SectorRun> FindRuns(DiskRange disk, long core)
    {
        var runs = new List<SectorRun>();
        byte[] first = new byte[Sector];
        if (core <= 0 || core > disk.Length / Sector || !disk.Has(core * Sector, Sector))
        {
            return runs;
        }

        disk.Read(core * Sector, first);
        if (first[0] != 0x52 || first.AsSpan(0x100).IndexOf("Geom\0"u8) < 0)
        {
            return runs;
        }

        runs.Add(new SectorRun(core, 1));
        for (int at = ListAt; at >= FewestListBytes; at -= ListEntry)
        {
            int count = BinaryPrimitives.ReadUInt16LittleEndian(first.AsSpan(at + 8));
            long start = BinaryPrimitives.ReadInt64LittleEndian(first.AsSpan(at));
            if (count == 0)
            {
                break;
            }

            if (start <= 0 || start > disk.Length / Sector)
            {
                return [];
            }

            runs.Add(new SectorRun(start, count));
        }

        return runs.Count > 1 ? runs : [];
    }
}
