using System.Security.Cryptography;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>File systems that a Linux kernel has written, read from outside: each file is what the kernel itself reads.</summary>
[Collection(KernelGuests.Name)]
public sealed class WrittenVolumeTests(Lab lab, KernelFixture fixture)
{
    private const int Names = 3000;
    private const string Uuid = "11111111-2222-3333-4444-555555555555";
    private const string LongTarget = "a/target/that/is/longer/than/what/an/inode/holds/";

    /// <summary>What busybox has no word for: makes a subvolume.</summary>
    private const string SubvolumeProgram = """
        #include <fcntl.h>
        #include <string.h>
        #include <sys/ioctl.h>
        #include <linux/btrfs.h>
        int main(int count, char **words) {
          struct btrfs_ioctl_vol_args named = { 0 };
          strncpy(named.name, words[2], BTRFS_PATH_NAME_MAX);
          return ioctl(open(words[1], O_RDONLY), BTRFS_IOC_SUBVOL_CREATE, &named) != 0;
        }
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Xfs_with_a_file_of_many_pieces_a_folder_of_many_names_and_space_that_is_only_reserved() =>
        await ReadAsync("xfs", ["-q"], "", "", root: "/m");

    [Fact]
    public async Task Btrfs_with_subvolumes_and_files_that_are_compressed_in_each_way() => await ReadAsync(
        "btrfs", ["-q", "-U", Uuid],
        $"""
        subvolume /m @rootfs
        subvolume /m @home
        echo mine >/m/@home/of-the-user
        mkdir -p /m/@rootfs/etc /m/@rootfs/home
        echo UUID={Uuid} /home btrfs defaults,subvol=@home 0 0 >/m/@rootfs/etc/fstab
        mount -t btrfs -o subvol=@home /dev/vda /m/@rootfs/home
        """,
        """
        for how in zlib lzo zstd; do
          mount -o remount,compress-force=$how /m
          (seq 1 200000; head -c 300000 /dev/urandom; seq 1 90000) >/m/@rootfs/large-$how
          seq 1 300 >/m/@rootfs/small-$how
          sync
        done
        """,
        root: "/m/@rootfs");

    private async Task ReadAsync(string kind, string[] options, string before, string after, string root)
    {
        string disk = fixture.At(kind + ".raw");
        await using (FileStream file = File.Create(disk))
        {
            file.SetLength(512L << 20);
        }

        await Tool.RunAsync("mkfs." + kind, [.. options, disk], Token);
        await using TinyGuest guest = await StartAsync(kind, disk);
        await RunAsync(guest, $"mkdir /m; mount -t {kind} /dev/vda /m\n{before}\ngrep -q ' /m ' /proc/mounts && echo mounted", "mounted");
        await RunAsync(guest, $$"""
            cd {{root}}
            mkdir -p etc many/deeper/still
            [ -e etc/fstab ] || : >etc/fstab
            for i in $(seq 1 {{Names}}); do : >many/a-name-of-some-length-$i; done
            for i in $(seq 1 400); do echo piece $i | dd of=pieces bs=4k seek=$((i * 3)) conv=notrunc 2>/dev/null; done
            head -c 9000000 /dev/urandom >large
            fallocate -l 4194304 reserved; echo begun | dd of=reserved bs=64k seek=3 conv=notrunc 2>/dev/null
            long={{LongTarget}}; long=$long$long$long; long=$long$long$long
            ln -s $long many/deeper/link; ln -s ../etc/fstab many/near; mkfifo many/pipe
            echo inside >many/deeper/still/file; chmod 4711 many/deeper/still/file; chown 1000:70000 many/deeper/still/file
            touch -d '2061-02-03 04:05:06' many/deeper/still/file
            {{after}}
            sync; echo written
            """, "written");
        string sums = await RunAsync(guest, $"cd {root}; find . -type f ! -name 'a-name*' | xargs sha256sum; echo listed", "listed");
        string states = await RunAsync(guest, $"find . ! -type l ! -name 'a-name*' | xargs stat -c '%n %Y %a %u %g %F'; echo told", "told");
        await RunAsync(guest, $"cd /; umount {root}/home 2>/dev/null; umount /m && echo off", "off");
        await guest.TypeAsync("poweroff -f");
        await guest.Guest.Exited.WaitAsync(Token);

        using var files = ImageFiles.Open(disk);
        Assert.Equal(root["/m".Length..], files.RootPath);
        ImageEntry[] found = [.. files.Tree()];
        Assert.Equal(Names, found.Count(entry => entry.Path.StartsWith("/many/a-name-of-some-length-", StringComparison.Ordinal)));
        Assert.Equal(string.Concat(Enumerable.Repeat(LongTarget, 9)), found.Single(entry => entry.Path == "/many/deeper/link").Target);
        Assert.Equal("/etc/fstab", files.Find("/many/near")!.Path);
        Assert.Equal(Lines(sums), found.Where(entry => entry.Kind == ImageEntryKind.File && !entry.Path.Contains("a-name", StringComparison.Ordinal))
            .Select(entry => $"{Convert.ToHexStringLower(SHA256.HashData(files.Read(entry, 64 << 20)!))}  .{entry.Path}").Order(StringComparer.Ordinal));
        Assert.Equal(Lines(states).Where(line => !line.StartsWith(". ", StringComparison.Ordinal)),
            found.Where(entry => entry.Kind != ImageEntryKind.Link && !entry.Path.Contains("a-name", StringComparison.Ordinal)).Select(Described).Order(StringComparer.Ordinal));
    }

    private static string Described(ImageEntry entry) => string.Create(System.Globalization.CultureInfo.InvariantCulture,
        $".{entry.Path} {entry.Modified} {Convert.ToString(entry.Mode, 8)} {entry.User} {entry.Group} ")
        + (entry.Kind switch { ImageEntryKind.Directory => "directory", ImageEntryKind.Special => "fifo", _ => entry.Size == 0 ? "regular empty file" : "regular file" });

    private static IEnumerable<string> Lines(string said) => said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal);

    /// <summary>Runs commands in the guest's shell, of which the last says that all is well.</summary>
    private static async Task<string> RunAsync(TinyGuest guest, string commands, string word)
    {
        string said = "";
        foreach (string line in Statements(commands))
        {
            said = await guest.RunAsync(line);
        }

        Assert.EndsWith(word + "\n", said, StringComparison.Ordinal);
        return said[..^(word.Length + 1)];
    }

    /// <summary>The lines of a script, with those of a loop as one: a terminal does not take a whole script at once.</summary>
    private static IEnumerable<string> Statements(string commands)
    {
        string statement = "";
        foreach (string line in commands.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            statement += line + '\n';
            if (!statement.StartsWith("for ", StringComparison.Ordinal) || line.EndsWith("done", StringComparison.Ordinal))
            {
                yield return statement.TrimEnd();
                statement = "";
            }
        }
    }

    private async Task<TinyGuest> StartAsync(string kind, string disk)
    {
        string source = fixture.At("subvolume.c"), program = fixture.At("subvolume");
        await File.WriteAllTextAsync(source, SubvolumeProgram, Token);
        await Tool.RunAsync("gcc", ["-static", "-O1", "-o", program, source], Token);
        InstallerBuild installer = await lab.AssembleAsync(InstallMachine.Virtio, kind);
        IReadOnlyList<(string, byte[])> modules = await GuestModules.ReadAsync(installer, "virtio_pci", "virtio_blk", "crc32c_generic", kind);
        string initrd = fixture.At(kind + "-initrd");
        await TinyGuest.WriteInitrdAsync(initrd, await fixture.BusyboxAsync(), modules, programs: [("subvolume", await File.ReadAllBytesAsync(program, Token))]);
        var guest = new TinyGuest(await new QemuHypervisor(fixture.Paths).StartAsync(
            new GuestConfig
            {
                Name = kind,
                WorkDirectory = fixture.At("written-" + kind),
                MemoryMiB = 384,
                Kernel = new KernelBoot(installer.KernelPath, initrd, "console=ttyS0 panic=-1 no_timer_check"),
                Serials = [new GuestSerial("console")],
                Disks = [new GuestDisk(disk, Virtigo.Hypervisors.DiskFormat.Raw)],
            },
            Token));
        await guest.AwaitShellAsync();
        return guest;
    }
}
