using System.Globalization;
using Virtigo.Hypervisors;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>Decides how a disk is laid out.</summary>
internal static class DiskPlanner
{
    /// <summary>What the system itself needs at least, in MiB, beside every other file system.</summary>
    private const long RootMiB = 1536;

    /// <summary>What starts the machine.</summary>
    /// <param name="spec">The spec's values; null when there are none.</param>
    /// <param name="config">The values of the user's configuration.</param>
    public static Setting<FirmwareKind> Firmware(SettingValues? spec, UserConfig config) =>
        (spec?.Get<string>("firmware") ?? config.Get<string>("firmware")) is { } written ? new(Firmwares.Of(written.Value), written.Origin)
            : new(FirmwareKind.Bios, new Origin(OriginKind.Default, "what every hypervisor has"));

    /// <summary>Makes the layout of a spec, else of the user's configuration.</summary>
    /// <param name="spec">The spec's values; null when there are none.</param>
    /// <param name="config">The values of the user's configuration.</param>
    /// <param name="firmware">What starts the machine.</param>
    /// <param name="bytes">The size of the disk.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: what does not fit, or is mounted twice.</exception>
    public static Setting<DebianDisk> Plan(SettingValues? spec, UserConfig config, FirmwareKind firmware, Setting<long> bytes)
    {
        Setting<T>? Get<T>(string path) => spec?.Get<T>(path) ?? config.Get<T>(path);
        string root = Get<string>("disk.filesystem")?.Value ?? "ext4";
        Setting<IReadOnlyList<SettingValues>>? mounts = Get<IReadOnlyList<SettingValues>>("disk.mounts");
        var disk = new DebianDisk
        {
            Firmware = firmware,
            Lvm = Get<string>("disk.layout")?.Value == "lvm",
            FileSystem = root,
            SwapMiB = (Get<long>("disk.swap")?.Value ?? 0) >> 20,
        };
        if (mounts is not null)
        {
            disk = disk with { Mounts = [.. mounts.Value.Select(mount => Mount(mount, disk, root)).OrderBy(mount => mount.Path, StringComparer.Ordinal)] };
            if (mounts.Value.GroupBy(mount => mount.Text("disk.mounts[].path")!).FirstOrDefault(paths => paths.Count() > 1) is { } twice)
            {
                throw new VirtigoException(FailureKind.Usage, $"{twice.Last().At("disk.mounts[].path")}: disk.mounts: {twice.Key} is mounted twice.", "Leave one of the two out.");
            }
        }

        long needed = disk.Mounts.Sum(mount => mount.MiB) + disk.SwapMiB + RootMiB;
        Origin origin = Origins(Get<string>("disk.layout"), Get<string>("disk.filesystem"), mounts, Get<long>("disk.swap"));
        return needed <= bytes.Value >> 20 ? new(disk, origin)
            : throw new VirtigoException(FailureKind.Usage,
                string.Create(CultureInfo.InvariantCulture,
                    $"{origin}: disk: its file systems and swap space need {needed} MiB with {RootMiB} MiB for the root, but the disk has {bytes.Value >> 20} MiB."),
                "Give the disk a larger size, or the file systems smaller ones.");
    }

    /// <summary>The layout in a line.</summary>
    public static string Describe(DebianDisk disk) => string.Join(", ",
    [
        .. disk.Lvm ? ["logical volumes"] : Array.Empty<string>(),
        $"/ {disk.FileSystem}",
        .. disk.Mounts.Select(mount => $"{mount.Path} {mount.FileSystem} {ByteSize.Format(mount.MiB << 20)}"),
        .. disk.SwapMiB > 0 ? [$"swap {ByteSize.Format(disk.SwapMiB << 20)}"] : Array.Empty<string>(),
    ]);

    private static DiskMount Mount(SettingValues mount, DebianDisk disk, string root)
    {
        string path = mount.Text("disk.mounts[].path")!;
        return disk.Lvm && path == "/boot"
            ? throw new VirtigoException(FailureKind.Usage, $"{mount.At("disk.mounts[].path")}: disk.mounts: with logical volumes /boot is a partition already.", "Leave it out.")
            : new DiskMount(path, mount.Get<long>("disk.mounts[].size")!.Value >> 20, mount.Text("disk.mounts[].filesystem") ?? root);
    }

    private static Origin Origins(params IReadOnlyList<object?> settings) => settings.Select(setting => setting switch
    {
        Setting<string> { Origin: var origin } => origin,
        Setting<long> { Origin: var origin } => origin,
        Setting<IReadOnlyList<SettingValues>> { Origin: var origin } => origin,
        _ => null,
    }).FirstOrDefault(origin => origin is not null) ?? new Origin(OriginKind.Default, "one file system on the whole disk");
}
