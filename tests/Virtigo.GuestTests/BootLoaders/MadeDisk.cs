using System.Globalization;
using System.Text;
using Virtigo.Host;
using Virtigo.Tests.Images;
using Xunit;

namespace Virtigo.GuestTests.BootLoaders;

/// <summary>
/// A disk that no installer made: divided by sfdisk and filled by mkfs as an ordinary user, with a kernel and an initial file system that says
/// on the serial port what it was told, where that root is, and switches off.
/// </summary>
internal sealed class MadeDisk
{
    /// <summary>What the initial file system says before the devices that have the root it was told of.</summary>
    public const string RootSaid = "THE ROOT IS ON:";

    /// <summary>What it says before the kernel's arguments.</summary>
    public const string TextSaid = "TOLD:";

    private const int Sector = 512;
    private const int LargeSector = 4096;
    private const long MiB = 1 << 20;
    private const int SystemMiB = 320;
    private const int GapSectors = 63;
    private const string GrubFolder = "/usr/lib/grub/i386-pc";
    private readonly string _folder;

    private MadeDisk(string folder, string path, string uuid, int sector, int number) =>
        (_folder, Path, Uuid, SectorBytes, RootNumber) = (folder, path, uuid, sector, number);

    /// <summary>The file.</summary>
    public string Path { get; private set; }

    /// <summary>The UUID of the root file system.</summary>
    public string Uuid { get; }

    /// <summary>The size of its sectors.</summary>
    public int SectorBytes { get; }

    /// <summary>The number of the partition with the root, as Linux counts.</summary>
    public int RootNumber { get; }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>What says that it was started, and switches off. UUIDs are where xfs, ext4 and btrfs have them.</summary>
    public static string Announcement { get; } = $"""
        exec >/dev/ttyS0 2>&1
        for word in $(cat /proc/cmdline); do case $word in root=UUID=*) uuid=$(echo $word | cut -d = -f 3);; esac; done
        tries=0
        while [ ! -e /dev/vda ] && [ $tries -lt 50 ]; do sleep 0.2; tries=$((tries + 1)); done
        echo "{TextSaid} $(cat /proc/cmdline)"
        plain=$(echo $uuid | tr -d -)
        echo "{RootSaid}" $(for device in /dev/vda?*; do
            for place in 32 1128 65568; do [ "$(hexdump -s $place -n 16 -v -e '1/1 "%02x"' $device)" = "$plain" ] && echo $device; done
        done)
        sleep 1
        poweroff -f
        """;

    /// <summary>Makes one.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="layout">
    /// The table, <c>mbr</c> or <c>gpt</c>, and what is before the root: <c>+bios</c> and <c>+esp</c>; <c>4k</c> for large sectors, <c>gap</c> for a
    /// root that begins at sector 63, with GRUB's modules and a configuration on it.
    /// </param>
    /// <param name="system">What is on the root: <c>ext4</c>, <c>xfs</c>, <c>btrfs</c>, or one of them after <c>lvm-</c>; <c>btrfs-@</c> for one within a subvolume.</param>
    /// <param name="format"><c>raw</c> or <c>qcow2</c>.</param>
    /// <param name="kernel">The kernel.</param>
    /// <param name="initrd">The initial file system.</param>
    public static async Task<MadeDisk> MakeAsync(string folder, string layout, string system, string format, string kernel, string initrd)
    {
        string[] words = layout.Split('+', ' ');
        int sector = words.Contains("4k") ? LargeSector : Sector;
        bool gap = words.Contains("gap");
        string uuid = Guid.NewGuid().ToString();
        var parts = new List<(long Start, long Bytes, string Type)>();
        if (words.Contains("bios"))
        {
            parts.Add((MiB, MiB, "21686148-6449-6E6F-744E-656564454649"));
        }

        if (words.Contains("esp"))
        {
            parts.Add((2 * MiB, 64 * MiB, words[0] == "gpt" ? "uefi" : "ef"));
        }

        bool volumes = system.StartsWith("lvm-", StringComparison.Ordinal);
        long start = gap ? GapSectors * Sector : 66 * MiB;
        parts.Add((start, (SystemMiB * MiB) + (volumes ? PhysicalVolume.ContentAt : 0), "linux"));
        var made = new MadeDisk(folder, System.IO.Path.Combine(folder, "disk.raw"), uuid, sector, parts.Count);
        Resize(made.Path, (66 + SystemMiB + 4) * MiB);
        await made.DivideAsync(words[0], parts);
        if (parts.FirstOrDefault(part => part.Type is "uefi" or "ef") is { Bytes: > 0 } esp)
        {
            string fat = System.IO.Path.Combine(folder, "esp");
            await Tool.RunAsync("mkfs.vfat", ["-S", Text(sector), "-C", fat, Text(esp.Bytes / 1024)], Cancel);
            await made.PutAsync(fat, esp.Start);
        }

        string tree = made.Tree(kernel, initrd, gap, subvolume: system == "btrfs-@");
        string root = await made.FormatAsync(tree, volumes ? system["lvm-".Length..] : system.Split('-')[0]);
        if (volumes)
        {
            string head = System.IO.Path.Combine(folder, "head");
            await File.WriteAllBytesAsync(head, PhysicalVolume.Head(SystemMiB * MiB), Cancel);
            await made.PutAsync(head, start);
        }

        await made.PutAsync(root, start + (volumes ? PhysicalVolume.ContentAt : 0));
        if (format == "qcow2")
        {
            string raw = made.Path;
            made.Path = System.IO.Path.Combine(folder, "disk.qcow2");
            await Tool.RunAsync("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", raw, made.Path], Cancel);
        }

        return made;
    }

    private static void Resize(string path, long bytes)
    {
        using FileStream file = File.Open(path, FileMode.OpenOrCreate);
        file.SetLength(bytes);
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private async Task DivideAsync(string table, List<(long Start, long Bytes, string Type)> parts)
    {
        string script = $"label: {(table == "gpt" ? "gpt" : "dos")}\n"
            + string.Concat(parts.Select(part => $"start={Text(part.Start / SectorBytes)}, size={Text(part.Bytes / SectorBytes)}, type={part.Type}\n"));
        ToolResult divided;
        if (SectorBytes == Sector)
        {
            divided = await Tool.TryRunAsync(new ChildCommand("sfdisk", ["-q", Path]), Encoding.ASCII.GetBytes(script), Cancel);
        }
        else
        {
            // Of both only fdisk believes what it is told of a file's sectors.
            string file = System.IO.Path.Combine(_folder, "table");
            await File.WriteAllTextAsync(file, script, Cancel);
            divided = await Tool.TryRunAsync(new ChildCommand("fdisk", ["-b", Text(SectorBytes), Path]), Encoding.ASCII.GetBytes($"I\n{file}\nw\n"), Cancel);
        }

        Assert.True(divided.ExitCode == 0, divided.Output + divided.Error);
    }

    /// <summary>A system as far as a boot loader is concerned.</summary>
    private string Tree(string kernel, string initrd, bool grub, bool subvolume)
    {
        string tree = System.IO.Path.Combine(_folder, "tree");
        string system = subvolume ? System.IO.Path.Combine(tree, "@") : tree;
        string boot = Directory.CreateDirectory(System.IO.Path.Combine(system, "boot")).FullName;
        Directory.CreateDirectory(System.IO.Path.Combine(system, "etc"));
        File.WriteAllText(System.IO.Path.Combine(system, "etc", "fstab"), "# nothing\n");
        File.Copy(kernel, System.IO.Path.Combine(boot, "vmlinuz-6.12.1"));
        File.Copy(initrd, System.IO.Path.Combine(boot, "initrd.img-6.12.1"));
        if (grub)
        {
            string own = Directory.CreateDirectory(System.IO.Path.Combine(boot, "grub", "i386-pc")).FullName;
            foreach (string file in Directory.EnumerateFiles(GrubFolder).Where(file => System.IO.Path.GetExtension(file) is ".mod" or ".lst"))
            {
                File.Copy(file, System.IO.Path.Combine(own, System.IO.Path.GetFileName(file)));
            }

            File.WriteAllText(System.IO.Path.Combine(boot, "grub", "grub.cfg"), $$"""
                set timeout=0
                menuentry 'Made by hand' {
                  search --no-floppy --fs-uuid --set=root {{Uuid}}
                  linux /boot/vmlinuz-6.12.1 root=UUID={{Uuid}} ro console=ttyS0 quiet
                  initrd /boot/initrd.img-6.12.1
                }

                """);
        }

        return tree;
    }

    private async Task<string> FormatAsync(string tree, string kind)
    {
        string system = System.IO.Path.Combine(_folder, "system");
        Resize(system, SystemMiB * MiB);
        switch (kind)
        {
            case "ext4":
                await Tool.RunAsync("mke2fs", ["-q", "-F", "-t", "ext4", "-U", Uuid, "-d", tree, "-E", "root_owner=0:0", system], Cancel);
                break;
            case "xfs":
                string list = System.IO.Path.Combine(_folder, "proto");
                await File.WriteAllTextAsync(list, $"none\n0 0\n{Proto(new DirectoryInfo(tree))}", Cancel);
                await Tool.RunAsync("mkfs.xfs", ["-q", "-m", "uuid=" + Uuid, "-p", list, system], Cancel);
                break;
            case "btrfs":
                await Tool.RunAsync("mkfs.btrfs", ["-q", "-U", Uuid, "--rootdir", tree, system], Cancel);
                break;
            default:
                throw new InvalidOperationException($"There is no file system {kind} here.");
        }

        return system;
    }

    /// <summary>A folder as <c>mkfs.xfs</c> is told of it.</summary>
    private static string Proto(DirectoryInfo folder) => "d--755 0 0\n"
        + string.Concat(folder.EnumerateDirectories().Select(one => $"{one.Name} {Proto(one)}"))
        + string.Concat(folder.EnumerateFiles().Select(one => $"{one.Name} ---644 0 0 {one.FullName}\n")) + "$\n";

    private Task<string> PutAsync(string file, long at) =>
        Tool.RunAsync("dd", ["if=" + file, "of=" + Path, "bs=64k", "oflag=seek_bytes", "seek=" + Text(at), "conv=notrunc,sparse", "status=none"], Cancel);
}
