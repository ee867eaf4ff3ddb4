using System.Globalization;

namespace Virtigo.Images;

/// <summary>Where a core for a BIOS can lie on a disk.</summary>
/// <param name="Start">Where it begins, in bytes.</param>
/// <param name="Bytes">How long it is.</param>
/// <param name="Name">What it is, in a message.</param>
internal sealed record BootPlace(long Start, long Bytes, string Name)
{
    /// <summary>The place: behind the table of an old disk, in the partition for it on a GPT; null when there is none.</summary>
    public static BootPlace? Find(BootDisk disk)
    {
        DiskLayout layout = disk.Layout;
        return layout.SectorBytes != BiosLoader.Sector ? null
            : layout.Scheme == PartitionScheme.Gpt
                ? disk.BiosBoot is { } partition ? new BootPlace(partition.Start, partition.Length, $"the BIOS boot partition {partition.Number}") : null
                : layout.Scheme == PartitionScheme.Mbr && layout.FirstUsed > layout.TableEnd
                    ? new BootPlace(layout.TableEnd, Math.Min(layout.FirstUsed, disk.Content.Length) - layout.TableEnd, "the gap before the first partition")
                    : null;
    }

    /// <summary>The same, or the reason why not in a sentence.</summary>
    public static BootPlace Require(BootDisk disk)
    {
        DiskLayout layout = disk.Layout;
        return Find(disk) ?? throw (layout.SectorBytes != BiosLoader.Sector
            ? new VirtigoException(FailureKind.Usage,
                $"{disk.Path} has sectors of {layout.SectorBytes} bytes: a BIOS reads disks in sectors of {BiosLoader.Sector}, and so does GRUB's first sector.",
                "Boot it by UEFI: it needs an EFI system partition.")
            : layout.Scheme == PartitionScheme.Gpt
                ? new VirtigoException(FailureKind.Usage,
                    $"{disk.Path} has a GPT without a BIOS boot partition: between its table, which ends at byte {Number(layout.TableEnd)}, and the first partition at "
                    + $"byte {Number(layout.FirstUsed)} are {Number((layout.FirstUsed - layout.TableEnd) >> 10)} KiB that belong to nobody, and may be taken by anybody.",
                    "Add a partition of 1 MiB and type 21686148-6449-6E6F-744E-656564454649, as with sfdisk --append; or boot it by UEFI.")
                : layout.Scheme == PartitionScheme.Mbr
                    ? new VirtigoException(FailureKind.Usage, $"{disk.Path} has no gap between its table and the first partition at byte {Number(layout.FirstUsed)}.",
                        "Let the first partition begin at 1 MiB.")
                    : new VirtigoException(FailureKind.Usage, $"{disk.Path} has no partition table: there is no room for a boot loader before a file system.",
                        "Divide it, as with sfdisk, with the first partition at 1 MiB; or start its kernel directly."));
    }

    /// <summary>What is said of a core that is too large.</summary>
    public VirtigoException TooSmall(BootDisk disk, long needed) => new(FailureKind.Usage,
        $"GRUB's core does not fit into {disk.Path}: it is {Number(needed)} bytes ({Number((needed + 511) / 512)} sectors), and {Name} has "
        + $"{Number(Bytes)} ({Number(Bytes / 512)} sectors).",
        Bytes < 1 << 20 ? "Let the first partition begin at 1 MiB, or boot it by UEFI." : "Make it larger, or boot by UEFI.");

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
