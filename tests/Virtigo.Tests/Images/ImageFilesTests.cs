using System.Globalization;
using System.Text;
using CsCheck;
using Virtigo.Host;
using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class ImageFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtigo-test-").FullName;
    private readonly DiskMaker _maker;

    public ImageFilesTests() => _maker = new DiskMaker(_folder);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string> Kinds { get; } =
        ["-t ext4", "-t ext4 -b 1024", "-t ext4 -b 4096 -I 128", "-t ext4 -O 64bit,metadata_csum,bigalloc", "-t ext4 -O ^extents,^64bit", "-t ext3", "-t ext2 -b 1024",
            "-t ext4 -O large_dir,huge_file,flex_bg,^has_journal"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_tree_is_listed_and_read_as_it_was_put_there(string kind)
    {
        string tree = await TreeAsync();
        byte[] system = await _maker.FileSystemAsync(tree, 48, kind.Split(' '));
        using var files = ImageFiles.Open(await _maker.SealAsync(DiskMaker.Divide(4, system)));
        await ExpectAsync(tree, files, "/lost+found d");
    }

    [Theory]
    [InlineData("mkfs.xfs", false)]
    [InlineData("mkfs.xfs", true)]
    [InlineData("mkfs.xfs -m crc=0 -n ftype=0", false)]
    [InlineData("mkfs.xfs -b size=1024 -n size=8192 -i size=512 -m bigtime=0", false)]
    [InlineData("mkfs.btrfs", false)]
    [InlineData("mkfs.btrfs", true)]
    [InlineData("mkfs.btrfs --nodesize 65536", false)]
    [InlineData("mkfs.btrfs --mixed", false)]
    public async Task So_is_that_of_other_file_systems_on_partitions_and_on_logical_volumes(string mkfs, bool logical)
    {
        string tree = await TreeAsync(simple: mkfs.StartsWith("mkfs.xfs", StringComparison.Ordinal));
        using var files = ImageFiles.Open(await new VolumeMaker(_folder).DiskAsync(tree, mkfs, logical));
        Assert.Equal((logical ? null : 1, 0), (files.RootPartition, files.Unread));
        await ExpectAsync(tree, files);
    }

    private static async Task ExpectAsync(string tree, ImageFiles files, params string[] further)
    {
        Assert.True(files.HasRootVolume);
        string[] expected = [.. Directory.EnumerateFileSystemEntries(tree, "*", SearchOption.AllDirectories)
            .Where(path => !path.StartsWith(tree + "/links/folder/", StringComparison.Ordinal))
            .Select(path => Describe(tree, path)).Concat(further).Order(StringComparer.Ordinal)];
        ImageEntry[] found = [.. files.Tree()];
        Assert.Equal(expected, found.Select(Describe).Order(StringComparer.Ordinal));
        foreach (ImageEntry file in found.Where(entry => entry.Kind == ImageEntryKind.File))
        {
            byte[] content = await File.ReadAllBytesAsync(tree + file.Path, Token);
            Assert.True(content.AsSpan().SequenceEqual(files.Read(file, 64 << 20)), file.Path);

            // mkfs.xfs takes its own time for all.
            long modified = new DateTimeOffset(File.GetLastWriteTimeUtc(tree + file.Path)).ToUnixTimeSeconds();
            Assert.InRange(file.Modified, modified, modified + (files.RootSystem!.Kind == "xfs" ? 600 : 0));
        }
    }

    [Fact]
    public async Task Links_are_followed_within_the_image_and_never_out_of_it()
    {
        string tree = await TreeAsync();
        using var files = ImageFiles.Open(await _maker.SealAsync(DiskMaker.Divide(4, await _maker.FileSystemAsync(tree, 48))));
        Assert.Equal("/etc/fstab", files.Find("/links/absolute")!.Path);
        Assert.Equal("/etc/fstab", files.Find("links/relative")!.Path);
        Assert.Equal("/etc/fstab", files.Find("/links/folder/fstab")!.Path);
        Assert.Equal("/etc/fstab", files.Find("/../../etc/./fstab")!.Path);
        Assert.Null(files.Find("/links/loop"));
        Assert.Null(files.Find("/links/outside"));
        Assert.Null(files.Find("/etc/fstab/below"));
        Assert.Null(files.ReadText("/etc/fstab", 3));
    }

    [Fact]
    public async Task The_images_own_fstab_puts_its_file_systems_together()
    {
        string boot = Directory.CreateDirectory(Path.Combine(_folder, "boot")).FullName;
        await File.WriteAllTextAsync(Path.Combine(boot, "vmlinuz-6"), "kernel", Token);
        string root = Directory.CreateDirectory(Path.Combine(_folder, "root")).FullName;
        Directory.CreateDirectory(Path.Combine(root, "etc"));
        Directory.CreateDirectory(Path.Combine(root, "boot"));
        await File.WriteAllTextAsync(Path.Combine(root, "boot", "hidden"), "below the mount", Token);
        File.CreateSymbolicLink(Path.Combine(root, "vmlinuz"), "boot/vmlinuz-6");
        await File.WriteAllTextAsync(Path.Combine(root, "etc", "fstab"), "# comment\nUUID=11111111-2222-3333-4444-555555555555 /boot ext2 defaults 0 2\n", Token);
        byte[][] parts =
        [
            new byte[DiskMaker.MiB], await _maker.FileSystemAsync(boot, 8, "-t", "ext2", "-U", "11111111-2222-3333-4444-555555555555"),
            await _maker.FileSystemAsync(root, 16),
        ];
        foreach (byte[] disk in (byte[][])[DiskMaker.Divide(4, parts), DiskMaker.Divide(1, parts), DiskMaker.DivideGpt(parts)])
        {
            using var files = ImageFiles.Open(await _maker.SealAsync(disk));
            Assert.Equal(1, files.Unread);
            Assert.Equal("kernel", files.ReadText("/vmlinuz", 100));
            Assert.Equal(["/boot/lost+found", "/boot/vmlinuz-6"], files.Tree("/boot").Select(entry => entry.Path));
        }
    }

    [Fact]
    public async Task A_disk_without_partitions_is_one_file_system_and_one_without_either_is_told()
    {
        byte[] system = await _maker.FileSystemAsync(await TreeAsync(), 48);
        using (var files = ImageFiles.Open(await _maker.SealAsync(system)))
        {
            Assert.NotNull(files.Find("/etc/fstab"));
        }

        using var none = ImageFiles.Open(await _maker.SealAsync(new byte[8 * DiskMaker.MiB]));
        Assert.Null(none.Find("/etc/fstab"));
        Assert.Empty(none.Tree());
        VirtigoException error = Assert.Throws<VirtigoException>(none.RequireRoot);
        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.Contains("linear logical volumes", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("gr\u00fc\u00df", "gr\u00fc\u00df")]
    [InlineData("a\nb\u001b[31m", "a\nb\u001b[31m")]
    [InlineData("\u0001", "\u0001")]
    public void A_name_in_utf8_is_itself(string name, string shown) => Assert.Equal(shown, GuestName.Text(Encoding.UTF8.GetBytes(name)));

    [Fact]
    public void A_name_that_is_none_is_shown_by_its_bytes()
    {
        Assert.Equal(@"a\xffb", GuestName.Text([(byte)'a', 0xFF, (byte)'b']));
        Assert.Equal(@"..\x2fetc\x00", GuestName.Text("../etc\0"u8));
        Assert.Equal("../etc", GuestName.Text("../etc"u8, isPath: true));
    }

    /// <summary>Whatever a guest does to its own file system, looking at it ends soon, in entries or in a sentence.</summary>
    [Theory]
    [InlineData("-t ext4 -b 1024")]
    [InlineData("-t ext2 -b 1024")]
    public async Task A_damaged_file_system_ends_in_entries_or_in_a_sentence(string kind)
    {
        string tree = Directory.CreateDirectory(Path.Combine(_folder, "small")).FullName;
        for (int i = 0; i < 20; i++)
        {
            Directory.CreateDirectory(Path.Combine(tree, "etc", $"d{i}"));
            await File.WriteAllTextAsync(Path.Combine(tree, "etc", $"d{i}", "file"), new string('x', 20_000), Token);
        }

        await File.WriteAllTextAsync(Path.Combine(tree, "etc", "fstab"), "", Token);
        byte[] system = await _maker.FileSystemAsync(tree, 2, [.. kind.Split(' '), "-N", "64"]);
        string path = Path.Combine(_folder, "damaged.qcow2");
        await QemuImage.CreateAsync(path, system.Length, Token);
        string sound = await _maker.SealAsync(system);
        byte[] whole = await File.ReadAllBytesAsync(sound, Token);

        // In the file the disk's clusters follow the tables: find one that is surely there.
        int first = whole.AsSpan().IndexOf(system.AsSpan(1024, 64)) - 1024;
        Assert.True(first > 0);
        int looked = 0;
        Gen.Int[0, 300_000].Select(Gen.Byte).Array[1, 200].Sample(
            changes =>
            {
                byte[] damaged = [.. whole];
                foreach ((int at, byte value) in changes)
                {
                    damaged[Math.Min(first + at, damaged.Length - 1)] = value;
                }

                File.WriteAllBytes(path, damaged);
                try
                {
                    using var files = ImageFiles.Open(path);
                    foreach (ImageEntry entry in files.Tree().Take(10_000))
                    {
                        looked++;
                        _ = files.Read(entry, 1 << 20);
                    }
                }
                catch (VirtigoException error)
                {
                    Assert.Equal(FailureKind.Host, error.Kind);
                }
            },
            time: 2, threads: 1);
        Assert.True(looked > 100);
    }

    [Theory]
    [InlineData("mkfs.xfs")]
    [InlineData("mkfs.btrfs")]
    public async Task So_does_a_damaged_one_of_another_kind(string mkfs)
    {
        string path = await new VolumeMaker(_folder).DiskAsync(await TreeAsync(simple: true), mkfs);
        const int piece = 4096;
        using var disk = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var used = new List<(long At, byte[] Bytes)>();
        for (byte[] bytes = new byte[piece]; disk.ReadAtLeast(bytes, piece, throwOnEndOfStream: false) == piece && used.Count < 2000;)
        {
            if (bytes.AsSpan().ContainsAnyExcept((byte)0))
            {
                used.Add((disk.Position - piece, [.. bytes]));
            }
        }

        int looked = 0;
        Gen.Int[0, used.Count - 1].Select(Gen.Int[0, piece - 8], Gen.Byte.Array[1, 8]).Array[1, 30].Sample(
            changes =>
            {
                foreach ((int block, int at, byte[] bytes) in changes)
                {
                    Write(used[block].At + at, bytes);
                }

                try
                {
                    using var files = ImageFiles.Open(path);
                    foreach (ImageEntry entry in files.Tree().Take(2000))
                    {
                        looked++;
                        _ = files.Read(entry, 1 << 20);
                    }
                }
                catch (VirtigoException error)
                {
                    Assert.Equal(FailureKind.Host, error.Kind);
                }
                finally
                {
                    foreach ((int block, _, _) in changes)
                    {
                        Write(used[block].At, used[block].Bytes);
                    }
                }
            },
            time: 2, threads: 1);
        Assert.True(looked > 100);

        void Write(long at, byte[] bytes)
        {
            disk.Position = at;
            disk.Write(bytes);
            disk.Flush();
        }
    }

    [Fact]
    public void LZO_of_any_bytes_is_expanded_to_an_end() => Gen.Byte.Array[0, 300].Sample(
        bytes =>
        {
            try
            {
                BtrfsLzo.Expand([0, 1, 0, 0, .. bytes], 4096, new byte[8192]);
            }
            catch (InvalidDataException)
            {
                // It says so.
            }
        },
        time: 1, threads: 1);

    private static string Describe(string tree, string path)
    {
        string name = path[tree.Length..];
        var file = new FileInfo(path);
        return file.LinkTarget is { } target ? $"{name} l {target}"
            : Directory.Exists(path) ? $"{name} d"
            : string.Create(CultureInfo.InvariantCulture, $"{name} f {(int)file.UnixFileMode} {file.Length}");
    }

    private static string Describe(ImageEntry entry) => entry.Kind switch
    {
        ImageEntryKind.Link => $"{entry.Path} l {entry.Target}",
        ImageEntryKind.Directory => $"{entry.Path} d",
        ImageEntryKind.File => string.Create(CultureInfo.InvariantCulture, $"{entry.Path} f {entry.Mode} {entry.Size}"),
        _ => $"{entry.Path} s",
    };

    /// <summary>Files of every size that is stored in another way, holes, long and short links, many names in one folder, odd names.</summary>
    /// <param name="simple">Whether no name has a space.</param>
    private async Task<string> TreeAsync(bool simple = false)
    {
        string tree = Directory.CreateDirectory(Path.Combine(_folder, "tree")).FullName;
        string Below(string name) => Path.Combine(Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(tree, name))!).FullName, Path.GetFileName(name));
        await File.WriteAllTextAsync(Below("etc/fstab"), "# nothing\n", Token);
        var random = new SeededRandom(3);
        foreach (int size in (int[])[0, 1, 59, 60, 61, 4096, 12 * 1024, 12 * 4096, 300_000, 5_000_000, 18_000_000])
        {
            byte[] content = new byte[size];
            for (int i = 0; i < size; i += 97)
            {
                content[i] = (byte)random.Next();
            }

            await File.WriteAllBytesAsync(Below($"sizes/{size}"), content, Token);
        }

        File.SetUnixFileMode(Below("sizes/61"), UnixFileMode.SetUser | UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
        await using (FileStream sparse = File.Create(Below("sizes/sparse")))
        {
            for (int i = 0; i < 40; i++)
            {
                sparse.Position = 65_536 * ((i * 3) + 1);
                sparse.Write("here"u8);
            }

            sparse.SetLength(9_000_000);
        }

        for (int i = 0; i < 700; i++)
        {
            await File.WriteAllTextAsync(Below($"many/{(simple ? "a_name" : "a name")}-that-is-long-enough-to-fill-the-blocks-of-a-folder-quickly-{i}"), "", Token);
        }

        if (!simple)
        {
            await File.WriteAllTextAsync(Below("odd/line\nend"), "odd", Token);
            await File.WriteAllTextAsync(Below("odd/gr\u00fc\u00df \u001b[31m"), "odd", Token);
        }

        Directory.CreateDirectory(Below("links"));
        File.CreateSymbolicLink(Below("links/absolute"), "/etc/fstab");
        File.CreateSymbolicLink(Below("links/relative"), "../etc/fstab");
        File.CreateSymbolicLink(Below("links/folder"), "../etc");
        File.CreateSymbolicLink(Below("links/loop"), "loop");
        File.CreateSymbolicLink(Below("links/outside"), "../../../../../../../../etc/passwd");
        File.CreateSymbolicLink(Below("links/long"), new string('y', 200));
        return tree;
    }
}
