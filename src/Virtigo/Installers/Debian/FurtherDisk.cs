using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Virtigo.Images;

namespace Virtigo.Installers.Debian;

/// <summary>A disk beside the one that the machine boots from.</summary>
/// <param name="Name">Its name, and the serial number that the machine sees.</param>
/// <param name="MiB">Its size in MiB.</param>
internal sealed record FurtherDisk(string Name, long MiB)
{
    /// <summary>What its table of partitions takes at its begin and at its end, in MiB.</summary>
    public const long TableMiB = 2;

    /// <summary>Its partitions, in their order; empty for a disk without a table.</summary>
    public IReadOnlyList<FurtherPartition> Partitions { get; init; } = [];

    /// <summary>All that there is to say of it.</summary>
    public string Canonical => string.Create(CultureInfo.InvariantCulture, $"{Name} {MiB}")
        + string.Concat(Partitions.Select(one => string.Create(CultureInfo.InvariantCulture, $"; {one.MiB} {one.FileSystem} {one.Path} {one.Options}")));

    /// <summary>The identity of one of its file systems: the same in each install of the same layout.</summary>
    /// <param name="partition">The number of the partition, from 1.</param>
    public Guid FileSystemId(int partition) => Id("file system", partition);

    /// <summary>Its partitions as a table has them.</summary>
    public PartitionPlan Table => new(Id("disk", 0), [.. Placed()]);

    private IEnumerable<PlannedPartition> Placed()
    {
        long start = 1;
        foreach ((int index, FurtherPartition partition) in Partitions.Index())
        {
            bool swap = partition.FileSystem == FurtherPartition.Swap;
            yield return new(start << 20, partition.MiB << 20, swap ? PartitionPlan.LinuxSwap : PartitionPlan.LinuxData, Id("partition", index + 1))
            {
                SwapId = swap ? FileSystemId(index + 1) : null,
            };
            start += partition.MiB;
        }
    }

    private Guid Id(string what, int number)
    {
        byte[] bytes = SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{what} {number} {Canonical}")))[..16];
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}

/// <summary>A partition of a further disk.</summary>
/// <param name="MiB">Its size in MiB.</param>
/// <param name="FileSystem"><c>ext4</c>, <c>xfs</c>, <c>btrfs</c> or <c>swap</c>; empty for nothing.</param>
/// <param name="Path">Where it is mounted; empty for nowhere.</param>
/// <param name="Options">How it is mounted, of <see cref="DebianDisk.MountOptions"/>, joined by commas; empty for the defaults.</param>
internal sealed record FurtherPartition(long MiB, string FileSystem, string Path, string Options)
{
    /// <summary>What holds swapped memory.</summary>
    public const string Swap = "swap";

    /// <summary>Whether it is mounted.</summary>
    public bool IsMounted => Path.Length > 0;
}
