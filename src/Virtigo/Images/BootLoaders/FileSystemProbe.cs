using System.Buffers.Binary;

namespace Virtigo.Images;

/// <summary>What is on a partition, by its own first bytes.</summary>
/// <param name="Kind">Its kind, as <c>blkid</c> calls it.</param>
/// <param name="Uuid">Its UUID, as <c>fstab</c> and GRUB write it; null when it has none that is known here.</param>
/// <param name="GrubModule">The module by which GRUB reads it; null when GRUB does not boot from it.</param>
internal sealed record FileSystemProbe(string Kind, string? Uuid, string? GrubModule)
{
    private const int ExtAt = 1024;
    private const int BtrfsAt = 65536;
    private const int RaidAt = 4096;
    private const int SwapMagicAt = 4086;

    /// <summary>Looks; null when nothing is recognised.</summary>
    public static FileSystemProbe? Look(DiskRange range)
    {
        byte[] start = new byte[4608];
        range.Read(0, start.AsSpan(0, (int)Math.Min(range.Length, start.Length)));
        if (start.AsSpan(0, 4).SequenceEqual("XFSB"u8))
        {
            return new("xfs", Identity(start, 32), "xfs");
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(start.AsSpan(ExtAt + 56)) == 0xEF53)
        {
            bool extents = (start[ExtAt + 96] & 0x40) != 0;
            bool journal = (start[ExtAt + 92] & 0x04) != 0;
            return new(extents ? "ext4" : journal ? "ext3" : "ext2", Identity(start, ExtAt + 104), "ext2");
        }

        if (start.AsSpan(0, 4).SequenceEqual("LUKS"u8) && start[4] == 0xBA && start[5] == 0xBE)
        {
            return new("crypto_LUKS", null, null);
        }

        if (start.AsSpan(SwapMagicAt, 10).SequenceEqual("SWAPSPACE2"u8))
        {
            return new("swap", null, null);
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(start.AsSpan(RaidAt)) == 0xA92B4EFC)
        {
            return new("linux_raid_member", null, null);
        }

        if (start.AsSpan(3, 4).SequenceEqual("NTFS"u8))
        {
            return new("ntfs", null, null);
        }

        if (range.Has(BtrfsAt, 128))
        {
            byte[] super = new byte[128];
            range.Read(BtrfsAt, super);
            if (super.AsSpan(64, 8).SequenceEqual("_BHRfS_M"u8))
            {
                return new("btrfs", Identity(super, 32), "btrfs");
            }
        }

        return LvmVolumes.IsPhysicalVolume(range) ? new("LVM2_member", null, null)
            : FatVolume.TryOpen(range) is { } fat ? new("vfat", fat.Uuid, "fat") : null;
    }

    private static string Identity(byte[] bytes, int at) => new Guid(bytes.AsSpan(at, 16), bigEndian: true).ToString();
}
