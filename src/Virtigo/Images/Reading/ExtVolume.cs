using System.Buffers.Binary;

namespace Virtigo.Images;

/// <summary>An inode of an ext file system.</summary>
/// <param name="Id">What names it.</param>
/// <param name="Mode">Type and permissions, as <c>st_mode</c> has them.</param>
/// <param name="User">The owner's number.</param>
/// <param name="Group">The group's number.</param>
/// <param name="Size">The size in bytes.</param>
/// <param name="Modified">When the content was last changed, in seconds since 1970.</param>
/// <param name="Flags">How the content is stored.</param>
/// <param name="Map">Where it is stored: 60 bytes.</param>
internal sealed record ExtInode(InodeId Id, ushort Mode, uint User, uint Group, long Size, long Modified, uint Flags, byte[] Map)
    : VolumeInode(Id, Mode, User, Group, Size, Modified);

/// <summary>
/// Reads ext2, ext3 and ext4. Written from the kernel's description of the format (Documentation/filesystems/ext4).
/// </summary>
internal sealed partial class ExtVolume : FileVolume
{
    private const int SuperblockAt = 1024;
    private const int SuperblockBytes = 1024;
    private const ushort Magic = 0xEF53;
    private const uint Compressed = 0x1;
    private const uint Journal = 0x8;
    private const uint MetaGroups = 0x10;
    private const uint WideBlocks = 0x80;
    private const int OldInodeBytes = 128;
    private readonly long _blocks;
    private readonly uint _inodes;
    private readonly uint _inodesPerGroup;
    private readonly int _inodeBytes;
    private readonly int _descriptorBytes;
    private readonly long _descriptorsAt;

    private ExtVolume(DiskRange disk, ReadOnlySpan<byte> super)
        : base(disk)
    {
        uint incompatible = Number(super, 96);
        BlockBytes = 1024 << (int)Number(super, 24);
        bool wide = (incompatible & WideBlocks) != 0;
        _blocks = Number(super, 4) | (wide ? (long)Number(super, 336) << 32 : 0);
        _inodes = Number(super, 0);
        _inodesPerGroup = Number(super, 40);
        _inodeBytes = Number(super, 76) == 0 ? OldInodeBytes : Short(super, 88);
        _descriptorBytes = wide ? Short(super, 254) : 32;
        _descriptorsAt = ((SuperblockAt / BlockBytes) + 1) * BlockBytes;
        Id = new Guid(super.Slice(104, 16), bigEndian: true);
    }

    /// <inheritdoc/>
    public override Guid Id { get; }

    /// <inheritdoc/>
    public override InodeId Root { get; } = new(0, 2);

    private int BlockBytes { get; }

    /// <summary>Opens an ext file system; null when it is none, or has something that cannot be read here.</summary>
    public static new ExtVolume? TryOpen(DiskRange disk)
    {
        byte[] super = new byte[SuperblockBytes];
        if (!disk.Has(SuperblockAt, SuperblockBytes))
        {
            return null;
        }

        disk.Read(SuperblockAt, super);
        if (Short(super, 56) != Magic || Number(super, 24) > 6 || (Number(super, 96) & (Compressed | Journal | MetaGroups)) != 0)
        {
            return null;
        }

        var volume = new ExtVolume(disk, super);
        return volume._inodesPerGroup > 0 && volume._inodeBytes is >= OldInodeBytes and <= 4096 && volume._descriptorBytes is >= 32 and <= 1024
            ? volume : null;
    }

    /// <inheritdoc/>
    public override ExtInode Inode(InodeId id)
    {
        if (id.Number == 0 || id.Number > _inodes)
        {
            throw new DamagedDiskException($"there is no inode {id.Number}");
        }

        (uint group, uint index) = Math.DivRem((uint)id.Number - 1, _inodesPerGroup);
        Span<byte> descriptor = stackalloc byte[64];
        descriptor.Clear();
        Disk.Read(_descriptorsAt + ((long)group * _descriptorBytes), descriptor[..Math.Min(64, _descriptorBytes)]);
        long table = Number(descriptor, 8) | ((long)Number(descriptor, 40) << 32);
        Span<byte> bytes = stackalloc byte[160];
        bytes.Clear();
        Disk.Read(At(table, index, _inodeBytes), bytes[..Math.Min(160, _inodeBytes)]);
        long size = Number(bytes, 4) | ((long)Number(bytes, 108) << 32);
        if (size < 0)
        {
            throw new DamagedDiskException($"inode {id.Number} has a negative size");
        }

        // Two bits of the extra field carry the time beyond 2038.
        bool extra = _inodeBytes > OldInodeBytes && Short(bytes, 128) >= 140 - OldInodeBytes;
        long modified = (int)Number(bytes, 16) + (extra ? (long)(Number(bytes, 136) & 3) << 32 : 0);
        return new ExtInode(id, Short(bytes, 0), Short(bytes, 2) | ((uint)Short(bytes, 120) << 16),
            Short(bytes, 24) | ((uint)Short(bytes, 122) << 16), size, modified, Number(bytes, 32), bytes.Slice(40, 60).ToArray());
    }

    private static long At(long block, uint index, int bytes, int blockBytes) => checked((block * blockBytes) + ((long)index * bytes));

    private static uint Number(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static ushort Short(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private long At(long table, uint index, int bytes) =>
        table >= 0 && table < _blocks ? At(table, index, bytes, BlockBytes) : throw new DamagedDiskException("a table of inodes is outside");
}
