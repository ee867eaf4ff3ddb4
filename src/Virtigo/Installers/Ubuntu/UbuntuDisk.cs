using Virtigo.Hypervisors;
using Virtigo.Installers.Debian;

namespace Virtigo.Installers.Ubuntu;

/// <summary>A disk's layout as the list of actions that the installer carries out.</summary>
internal static class UbuntuDisk
{
    private const long MiB = 1 << 20;
    private const long BootMiB = 1024;
    private const long EfiMiB = 538;

    /// <summary>The value of <c>storage</c>.</summary>
    /// <param name="disk">The layout.</param>
    /// <param name="device">The disk as the installer sees it.</param>
    public static AutoinstallMap Storage(DebianDisk disk, string device)
    {
        var mounts = new List<(string Path, AutoinstallNode Action)>();
        var actions = new List<AutoinstallNode>
        {
            Action("disk", "disk", ("path", Text(device)), ("ptable", Text("gpt")), ("wipe", Text("superblock-recursive")), ("preserve", No),
                ("grub_device", new AutoinstallFlag(disk.Firmware == FirmwareKind.Bios))),
        };
        if (disk.Firmware == FirmwareKind.Uefi)
        {
            actions.Add(Partition("efi", EfiMiB * MiB, ("flag", Text("boot")), ("grub_device", Yes)));
            Mount(actions, mounts, "efi", "fat32", "/boot/efi");
        }
        else
        {
            actions.Add(Partition("bios", MiB, ("flag", Text("bios_grub"))));
        }

        if (disk.Lvm)
        {
            actions.Add(Partition("boot", BootMiB * MiB));
            Mount(actions, mounts, "boot", "ext4", "/boot");
            actions.Add(Partition("volumes", -1));
            actions.Add(Action("lvm_volgroup", "system", ("name", Text("system")), ("devices", AutoinstallList.Of("volumes")), ("preserve", No)));
        }

        AutoinstallNode Volume(string name, long bytes, bool isSwap) => disk.Lvm
            ? Action("lvm_partition", name, ("name", Text(name)), ("volgroup", Text("system")), ("size", new AutoinstallNumber(bytes)), ("preserve", No))
            : Partition(name, bytes, isSwap ? [("flag", Text("swap"))] : []);
        if (disk.SwapMiB > 0)
        {
            actions.Add(Volume("swap", disk.SwapMiB * MiB, isSwap: true));
            Mount(actions, mounts, "swap", "swap", "");
        }

        foreach (DiskMount mount in disk.Mounts)
        {
            string name = "fs" + mount.Path.Replace('/', '-');
            actions.Add(Volume(name, mount.MiB * MiB, isSwap: false));
            Mount(actions, mounts, name, mount.FileSystem, mount.Path);
        }

        // Only what comes last can take what is left.
        actions.Add(Volume("root", -1, isSwap: false));
        Mount(actions, mounts, "root", disk.FileSystem, "/");

        // What is mounted below something else comes after it.
        actions.AddRange(mounts.OrderBy(mount => mount.Path, StringComparer.Ordinal).Select(mount => mount.Action));
        return AutoinstallMap.Of(("swap", AutoinstallMap.Of(("size", new AutoinstallNumber(0)))), ("config", new AutoinstallList(actions)));
    }

    private static AutoinstallFlag Yes => new(true);

    private static AutoinstallFlag No => new(false);

    private static void Mount(List<AutoinstallNode> actions, List<(string, AutoinstallNode)> mounts, string volume, string kind, string path)
    {
        actions.Add(Action("format", volume + "-format", ("volume", Text(volume)), ("fstype", Text(kind)), ("preserve", No)));
        mounts.Add((path, Action("mount", volume + "-mount", ("device", Text(volume + "-format")), ("path", Text(path)))));
    }

    private static AutoinstallMap Partition(string id, long bytes, params IReadOnlyList<(string, AutoinstallNode)> more) =>
        Action("partition", id, [("device", Text("disk")), ("size", new AutoinstallNumber(bytes)), ("preserve", No), .. more]);

    private static AutoinstallMap Action(string type, string id, params IReadOnlyList<(string, AutoinstallNode)> more) =>
        AutoinstallMap.Of([("type", Text(type)), ("id", Text(id)), .. more]);

    private static AutoinstallText Text(string text) => new(text);
}
