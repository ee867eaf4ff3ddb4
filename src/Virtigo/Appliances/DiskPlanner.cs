using System.Globalization;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>Decides how a disk is laid out.</summary>
internal static partial class DiskPlanner
{
    /// <summary>What the system itself needs at least, in MiB, beside every other file system.</summary>
    private const long RootMiB = 1536;

    /// <summary>What the key of an encrypted disk takes, which the installer, with as much memory, makes as costly as it can.</summary>
    private const int UnlockMiB = 1024;

    /// <summary>What a description says first of an encrypted disk, to whoever runs the image.</summary>
    public const string EncryptedMark = "encrypted";

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
    /// <param name="passphrase">What the disk is encrypted with; null for not at all.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: what does not fit, or is mounted twice.</exception>
    public static Setting<DebianDisk> Plan(SettingValues? spec, UserConfig config, FirmwareKind firmware, Setting<long> bytes, Setting<Passphrase>? passphrase = null)
    {
        Setting<T>? Get<T>(string path) => spec?.Get<T>(path) ?? config.Get<T>(path);
        string root = Get<string>("disk.filesystem")?.Value ?? "ext4";
        Setting<IReadOnlyList<SettingValues>>? mounts = Get<IReadOnlyList<SettingValues>>("disk.mounts");
        var disk = new DebianDisk
        {
            Firmware = firmware,
            Lvm = passphrase is not null || Get<string>("disk.layout")?.Value == "lvm",
            Passphrase = passphrase?.Value,
            Grow = Get<bool>("disk.grow")?.Value ?? false,
            FileSystem = root,
            SwapMiB = (Get<long>("disk.swap")?.Value ?? 0) >> 20,
        };
        if (passphrase is not null && Get<string>("disk.layout") is { Value: "plain", Origin: var plain })
        {
            throw new VirtigoException(FailureKind.Usage, $"{plain}: disk.layout: an encrypted disk has logical volumes, not plain partitions.", "Leave the layout out, or say: layout: lvm");
        }

        if (mounts is not null)
        {
            IReadOnlyList<long> sizes = FirstDiskSizes(mounts.Value, disk, bytes.Value >> 20, Get<long>("disk.root"));
            disk = disk with { Mounts = [.. mounts.Value.Select((mount, index) => Mount(mount, disk, root, sizes[index])).OrderBy(mount => mount.Path, StringComparer.Ordinal)] };
            if (mounts.Value.GroupBy(mount => mount.Text("disk.mounts[].path")!).FirstOrDefault(paths => paths.Count() > 1) is { } twice)
            {
                throw new VirtigoException(FailureKind.Usage, $"{twice.Last().At("disk.mounts[].path")}: disk.mounts: {twice.Key} is mounted twice.", "Leave one of the two out.");
            }
        }

        else if (Get<long>("disk.root") is { } fixedRoot)
        {
            throw RootWithoutRest(fixedRoot);
        }

        if (Get<IReadOnlyList<SettingValues>>("disk.disks") is { } further)
        {
            disk = disk with { Further = FurtherDisks(further.Value, disk) };
        }

        long needed = disk.Mounts.Sum(mount => mount.MiB) + disk.SwapMiB + RootMiB;
        Origin origin = Origins(Get<string>("disk.layout"), Get<string>("disk.filesystem"), mounts, Get<long>("disk.swap"), passphrase, Get<bool>("disk.grow"),
            Get<IReadOnlyList<SettingValues>>("disk.disks"));
        return needed <= bytes.Value >> 20 ? new(disk, origin)
            : throw new VirtigoException(FailureKind.Usage,
                string.Create(CultureInfo.InvariantCulture,
                    $"{origin}: disk: its file systems and swap space need {needed} MiB with {RootMiB} MiB for the root, but the disk has {bytes.Value >> 20} MiB."),
                "Give the disk a larger size, or the file systems smaller ones.");
    }

    /// <summary>The passphrase of a spec's disk, or null.</summary>
    /// <param name="spec">The spec's values; null when there are none.</param>
    /// <param name="config">The values of the user's configuration.</param>
    /// <param name="secrets">Where it comes from.</param>
    /// <param name="memory">The machine's memory in MiB.</param>
    /// <param name="digest">Makes the digest that stands for it.</param>
    /// <param name="cancellationToken">Ends the waiting for an answer.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: there is none, or the machine could not use it.</exception>
    public static async Task<Setting<Passphrase>?> PassphraseAsync(
        SettingValues? spec, UserConfig config, SecretSource secrets, Setting<int> memory, Func<SecretText, Task<string>> digest, CancellationToken cancellationToken)
    {
        const string key = "disk.encrypt";
        if (config.Get<string>(key) is { } everywhere)
        {
            throw new VirtigoException(FailureKind.Usage, $"{everywhere.Origin}: {key}: one passphrase for every appliance is not supported.", "Say it in the specs.");
        }

        if (spec?.Secret(key) is not { } written)
        {
            return null;
        }

        if (memory.Value < UnlockMiB)
        {
            throw new VirtigoException(FailureKind.Usage,
                string.Create(CultureInfo.InvariantCulture, $"{memory.Origin}: memory: {memory.Value} MiB are too little to open an encrypted disk; it takes {UnlockMiB} MiB."),
                "Give the machine more memory, or leave out disk.encrypt.");
        }

        SecretText found = await secrets.ResolveAsync(written, spec.At(key), "Passphrase of the disk", ValueChecks.Passphrase, cancellationToken);
        return new(new Passphrase(found.Reveal(), await digest(found)), spec.OriginOf(key)!);
    }

    /// <summary>The layout in a line.</summary>
    public static string Describe(DebianDisk disk) => string.Join(", ",
    [
        .. disk.Passphrase is null ? Array.Empty<string>() : [EncryptedMark],
        .. disk.Lvm ? ["logical volumes"] : Array.Empty<string>(),
        .. disk.Grow ? ["grows with the machine's disk"] : Array.Empty<string>(),
        $"/ {disk.FileSystem}",
        .. disk.Mounts.Select(mount => $"{mount.Path} {mount.FileSystem} {ByteSize.Format(mount.MiB << 20)}{(mount.Options.Length > 0 ? $" ({mount.Options})" : "")}"),
        .. disk.SwapMiB > 0 ? [$"swap {ByteSize.Format(disk.SwapMiB << 20)}"] : Array.Empty<string>(),
        .. disk.Further.Select(Describe),
    ]);

    private static DiskMount Mount(SettingValues mount, DebianDisk disk, string root, long mebibytes)
    {
        string path = mount.Text("disk.mounts[].path")!;
        return disk.Lvm && path == "/boot"
            ? throw new VirtigoException(FailureKind.Usage, $"{mount.At("disk.mounts[].path")}: disk.mounts: with logical volumes /boot is a partition already.", "Leave it out.")
            : new DiskMount(path, mebibytes, mount.Text("disk.mounts[].filesystem") ?? root)
            {
                Options = string.Join(',', mount.Texts("disk.mounts[].options").Distinct().Order(StringComparer.Ordinal)),
            };
    }

    private static Origin Origins(params IReadOnlyList<object?> settings) => settings.Select(setting => setting switch
    {
        Setting<string> { Origin: var origin } => origin,
        Setting<long> { Origin: var origin } => origin,
        Setting<bool> { Origin: var origin } => origin,
        Setting<Passphrase> { Origin: var origin } => origin,
        Setting<IReadOnlyList<SettingValues>> { Origin: var origin } => origin,
        _ => null,
    }).FirstOrDefault(origin => origin is not null) ?? new Origin(OriginKind.Default, "one file system on the whole disk");
}
