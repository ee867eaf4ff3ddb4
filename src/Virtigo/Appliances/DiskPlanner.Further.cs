using System.Globalization;
using Virtigo.Hypervisors;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>Decides how further disks are laid out, and what a share or the rest of a disk is.</summary>
internal static partial class DiskPlanner
{
    private const string PartitionKey = "disk.disks[].partitions[]";
    private const long LeastMiB = 64;

    /// <summary>What a file system must have at least, in MiB.</summary>
    private static long Least(string fileSystem) => fileSystem switch { "xfs" => 304, "btrfs" => 128, _ => LeastMiB };

    /// <summary>The sizes of the first disk's further file systems, in MiB.</summary>
    private static IReadOnlyList<long> FirstDiskSizes(IReadOnlyList<SettingValues> mounts, DebianDisk disk, long diskMiB, Setting<long>? root)
    {
        const string key = "disk.mounts[].size";
        bool rest = mounts.Any(mount => mount.Get<PartSize>(key)!.Value.Kind == PartSizeKind.Rest);
        if (!rest)
        {
            return root is null ? Sizes("disk.mounts", key, mounts, diskMiB, diskMiB) : throw RootWithoutRest(root);
        }

        if (root is null)
        {
            throw new VirtigoException(FailureKind.Usage, $"{RestOf(mounts, key)}: disk.mounts: with the rest of the disk elsewhere, the root needs a size.", "Say it, as in: root: 4GiB");
        }

        if (disk.Grow)
        {
            throw new VirtigoException(FailureKind.Usage, $"{RestOf(mounts, key)}: disk.mounts: the rest of the disk cannot be both the root's, which grows, and this one's.",
                "Leave out disk.grow, or give this one a size.");
        }

        // What is neither the root's nor a mount's: the boot loader's place, and /boot beside volumes. Volumes are rounded.
        long elsewhere = root.Value >> 20;
        elsewhere += disk.SwapMiB + (disk.Firmware == FirmwareKind.Uefi ? 540 : 4) + (disk.Lvm ? 800 : 0);
        return Sizes("disk.mounts", key, mounts, diskMiB, diskMiB - elsewhere);
    }

    private static string RestOf(IReadOnlyList<SettingValues> parts, string key) => parts.First(part => part.Get<PartSize>(key)!.Value.Kind == PartSizeKind.Rest).At(key);

    private static VirtigoException RootWithoutRest(Setting<long> root) => new(FailureKind.Usage,
        $"{root.Origin}: disk.root: the root takes what the others leave, unless one of disk.mounts has size: rest.", "Leave out disk.root, or say size: rest for one of the mounts.");

    /// <summary>The sizes of the parts of a disk in MiB.</summary>
    /// <param name="what">What they are parts of, for messages.</param>
    /// <param name="key">The key of their size.</param>
    /// <param name="parts">The parts.</param>
    /// <param name="diskMiB">What a share is one of.</param>
    /// <param name="freeMiB">What there is for all of them.</param>
    private static IReadOnlyList<long> Sizes(string what, string key, IReadOnlyList<SettingValues> parts, long diskMiB, long freeMiB)
    {
        PartSize[] written = [.. parts.Select(part => part.Get<PartSize>(key)!.Value)];
        if (parts.Where((_, index) => written[index].Kind == PartSizeKind.Rest).Skip(1).FirstOrDefault() is { } second)
        {
            throw new VirtigoException(FailureKind.Usage, $"{second.At(key)}: {what}: only one can take the rest.", "Give this one a size, or a share as in: size: 30%");
        }

        if (parts.Where((_, index) => written[index].On(diskMiB) < LeastMiB).FirstOrDefault() is { } small)
        {
            throw new VirtigoException(FailureKind.Usage, $"{small.At(key)}: {what}: this share of the disk is less than {LeastMiB} MiB.", "Give the disk a larger size, or this one a larger share.");
        }

        long said = written.Sum(size => size.On(diskMiB) ?? 0);
        bool rest = written.Any(size => size.Kind == PartSizeKind.Rest);
        if (rest && freeMiB - said < LeastMiB)
        {
            throw new VirtigoException(FailureKind.Usage,
                string.Create(CultureInfo.InvariantCulture, $"{RestOf(parts, key)}: {what}: the rest is {Math.Max(0, freeMiB - said)} MiB, less than {LeastMiB}: of {diskMiB} MiB the others take {diskMiB - freeMiB + said}."),
                "Give the disk a larger size, or the others smaller ones.");
        }

        return [.. written.Select(size => size.On(diskMiB) ?? freeMiB - said)];
    }

    private static FurtherDisk[] FurtherDisks(IReadOnlyList<SettingValues> disks, DebianDisk first)
    {
        const string name = "disk.disks[].name";
        if (disks.GroupBy(disk => disk.Text(name)!).FirstOrDefault(names => names.Count() > 1) is { } twice)
        {
            throw new VirtigoException(FailureKind.Usage, $"{twice.Last().At(name)}: disk.disks: two disks are named {twice.Key}.", "Give each a name of its own.");
        }

        if (first.Passphrase is not null)
        {
            throw new VirtigoException(FailureKind.Usage, $"{disks[0].At(name)}: disk.disks: beside an encrypted disk, further ones would be readable by anybody.",
                "Leave out disk.encrypt, or keep everything on the first disk.");
        }

        FurtherDisk[] made = [.. disks.Select(disk => new FurtherDisk(disk.Text(name)!, disk.Get<long>("disk.disks[].size")!.Value >> 20)).Zip(disks).Select(one => Divide(one.First, one.Second))];
        var taken = first.Mounts.Select(mount => mount.Path).ToHashSet();
        foreach (SettingValues partition in disks.SelectMany(disk => disk.Items("disk.disks[].partitions")))
        {
            if (partition.Text(PartitionKey + ".path") is { } path)
            {
                CheckPath(partition.At(PartitionKey + ".path"), path, taken, first);
            }
        }

        return made;
    }

    private static void CheckPath(string place, string path, HashSet<string> taken, DebianDisk first)
    {
        if (first.Mounts.FirstOrDefault(mount => mount.Path.StartsWith(path + "/", StringComparison.Ordinal)) is { } hidden)
        {
            throw new VirtigoException(FailureKind.Usage, $"{place}: disk.disks: mounted on {path}, it would hide {hidden.Path} of the first disk.", $"Put {hidden.Path} on a further disk too.");
        }

        if (path is "/boot" or "/boot/efi" or "/usr" || path.StartsWith("/boot/", StringComparison.Ordinal))
        {
            throw new VirtigoException(FailureKind.Usage, $"{place}: disk.disks: the machine boots from its first disk, and needs {path} there.", "Leave it on the first disk.");
        }

        if (!taken.Add(path))
        {
            throw new VirtigoException(FailureKind.Usage, $"{place}: disk.disks: {path} is mounted twice.", "Leave one of the two out.");
        }
    }

    private static FurtherDisk Divide(FurtherDisk disk, SettingValues written)
    {
        IReadOnlyList<SettingValues> parts = written.Items("disk.disks[].partitions");
        const string key = PartitionKey + ".size";
        if (parts.Count == 0)
        {
            return disk;
        }

        long free = disk.MiB - FurtherDisk.TableMiB;
        IReadOnlyList<long> sizes = Sizes($"disk.disks: {disk.Name}", key, parts, free, free);
        return sizes.Sum() <= free
            ? disk with { Partitions = [.. parts.Select((part, index) => Part(disk.Name, part, sizes[index]))] }
            : throw new VirtigoException(FailureKind.Usage,
                string.Create(CultureInfo.InvariantCulture, $"{written.At("disk.disks[].size")}: disk.disks: the partitions of {disk.Name} need {sizes.Sum()} MiB, but the disk has {free} MiB beside its table."),
                "Give the disk a larger size, the partitions smaller ones, or one of them: size: rest");
    }

    private static FurtherPartition Part(string disk, SettingValues written, long mebibytes)
    {
        string path = written.Text(PartitionKey + ".path") ?? "";
        string fileSystem = written.Text(PartitionKey + ".filesystem") ?? (path.Length > 0 ? "ext4" : "");
        if (fileSystem == FurtherPartition.Swap && path.Length > 0)
        {
            throw new VirtigoException(FailureKind.Usage, $"{written.At(PartitionKey + ".path")}: disk.disks: swap space is mounted nowhere.", "Leave out the path, or choose a file system.");
        }

        if (path.Length == 0 && written.Place(PartitionKey + ".options") is not null)
        {
            throw new VirtigoException(FailureKind.Usage, $"{written.At(PartitionKey + ".options")}: disk.disks: options are for what is mounted.", "Leave them out, or give a path.");
        }

        return mebibytes >= Least(fileSystem)
            ? new FurtherPartition(mebibytes, fileSystem, path, string.Join(',', written.Texts(PartitionKey + ".options").Distinct().Order(StringComparer.Ordinal)))
            : throw new VirtigoException(FailureKind.Usage,
                string.Create(CultureInfo.InvariantCulture, $"{written.At(PartitionKey + ".size")}: disk.disks: a partition of {disk} has {mebibytes} MiB, but {fileSystem} needs {Least(fileSystem)}."),
                "Give it a larger size, or ext4.");
    }

    private static string Describe(FurtherDisk disk) => $"disk {disk.Name} {ByteSize.Format(disk.MiB << 20)}: "
        + (disk.Partitions.Count == 0 ? "empty" : string.Join(" + ", disk.Partitions.Select(one => string.Join(' ',
            new[] { one.Path, one.FileSystem.Length > 0 ? one.FileSystem : "unused", ByteSize.Format(one.MiB << 20), one.Options.Length > 0 ? $"({one.Options})" : "" }
                .Where(word => word.Length > 0)))));
}
