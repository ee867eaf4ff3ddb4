namespace Virtigo.Images;

/// <summary>A partition or logical volume of a disk, as a boot loader sees it.</summary>
/// <param name="Device">GRUB's name for it.</param>
/// <param name="Number">The partition's number.</param>
/// <param name="Start">Where it begins, in bytes.</param>
/// <param name="Bytes">How long it is.</param>
/// <param name="Type">What the table says it is for: two digits, or a GUID.</param>
/// <param name="Name">The name in a GPT: a guest's word.</param>
/// <param name="FileSystem">What is on it; null when that is not known.</param>
/// <param name="Uuid">The UUID of that.</param>
/// <param name="Role">What it is to a boot loader: <c>bios-boot</c>, <c>esp</c>, <c>boot</c>, or null.</param>
public sealed record BootPartition(
    string Device, int Number, long Start, long Bytes, string Type, string Name, string? FileSystem, string? Uuid, string? Role);

/// <summary>How a disk is laid out, as a boot loader sees it.</summary>
/// <param name="Path">The file.</param>
/// <param name="Format"><c>raw</c> or <c>qcow2</c>.</param>
/// <param name="Bytes">The size that a guest sees.</param>
/// <param name="Table"><c>mbr</c>, <c>gpt</c> or <c>none</c>.</param>
/// <param name="SectorBytes">What the table counts in.</param>
/// <param name="CoreStart">Where a core for a BIOS would begin, in bytes; null when there is no place for one.</param>
/// <param name="CoreBytes">How long that place is; 0 when there is none.</param>
/// <param name="Partitions">The partitions and logical volumes.</param>
public sealed record BootLayout(
    string Path, string Format, long Bytes, string Table, int SectorBytes, long? CoreStart, long CoreBytes, IReadOnlyList<BootPartition> Partitions);

/// <summary>What <see cref="BootLoader"/> found or did.</summary>
/// <param name="Layout">How the disk is laid out.</param>
/// <param name="Chain">What boots it, link by link.</param>
/// <param name="Done">What was done, a sentence each; empty when nothing was.</param>
public sealed record BootLoaderReport(BootLayout Layout, IReadOnlyList<BootFinding> Chain, IReadOnlyList<string> Done)
{
    /// <summary>Whether no link is broken.</summary>
    public bool Boots => Chain.Count > 0 && Chain.All(one => one.Verdict != BootVerdict.Broken);
}

/// <summary>How a boot loader is installed.</summary>
public sealed record BootLoaderOptions
{
    /// <summary>For which firmware; by itself for each that the disk has a place for.</summary>
    public BootFirmware Firmware { get; init; }

    /// <summary>The size of the disk's sectors in bytes, 512 or 4096; null to go by its table.</summary>
    public int? SectorBytes { get; init; }

    /// <summary>What kernels are told when the image has no configuration of its own; null for nothing.</summary>
    public string? KernelArguments { get; init; }
}
