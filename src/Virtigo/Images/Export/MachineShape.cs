using System.Globalization;

namespace Virtigo.Images;

/// <summary>What a hypervisor must give an image's machine.</summary>
/// <param name="Name">The appliance's name.</param>
/// <param name="Distribution">The distribution.</param>
/// <param name="Release">The release's name.</param>
/// <param name="Architecture">The architecture, as Debian names it.</param>
/// <param name="Cpus">How many processors.</param>
/// <param name="MemoryMiB">The memory in MiB.</param>
/// <param name="DiskBytes">The disk's size in bytes.</param>
/// <param name="Uefi">Whether it boots by UEFI.</param>
internal sealed record MachineShape(
    string Name, string Distribution, string Release, string Architecture, int Cpus, int MemoryMiB, long DiskBytes, bool Uefi)
{
    private const int DefaultMemoryMiB = 1024;
    private const int MostCards = 8;

    /// <summary>The network cards, each with the Ethernet address that it must have, or null.</summary>
    public IReadOnlyList<string?> Cards { get; init; } = [null];

    /// <summary>The disks beside the first.</summary>
    public IReadOnlyList<NamedDisk> FurtherDisks { get; init; } = [];

    /// <summary>Reads it from a manifest.</summary>
    public static MachineShape Of(ImageManifest manifest)
    {
        string? Value(string key) => manifest.Plan.FirstOrDefault(value => value.Key == key)?.Value;
        return new MachineShape(manifest.Name, Value("distro") ?? "debian", Value("release") ?? "unknown", Value("arch") ?? "amd64",
            int.TryParse(Value("cpus"), NumberStyles.None, CultureInfo.InvariantCulture, out int cpus) && cpus > 0 ? cpus : 1,
            MiB(Value("memory")) ?? DefaultMemoryMiB, manifest.Disk.VirtualBytes,
            manifest.Firmware == "uefi")
        {
            Cards = [.. manifest.NetworkCards.Take(MostCards).Select(card => card.Mac)],
            FurtherDisks = [.. manifest.FurtherDisks.Select(disk => new NamedDisk(disk.Name, disk.Disk.VirtualBytes))],
        };
    }

    /// <summary>A size as plans show it: <c>1 GiB</c>, <c>1536 MiB</c>.</summary>
    internal static int? MiB(string? size)
    {
        string[] words = (size ?? "").Split(' ');
        return words is [var number, var unit] && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count > 0
            ? unit switch { "MiB" => count, "GiB" when count < 1 << 20 => count * 1024, "TiB" when count < 1024 => count * 1024 * 1024, _ => null }
            : null;
    }
}

/// <summary>A disk beside the first.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Bytes">Its size in bytes.</param>
internal sealed record NamedDisk(string Name, long Bytes);
