using CsCheck;
using Virtigo.Host;
using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

/// <summary>What a boot loader's readers are given is a guest's: whatever it is, they come to an end in findings or in a sentence.</summary>
public sealed class BootFuzzTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtigo-bootfuzz-").FullName;
    private readonly BootImageMaker _maker;

    public BootFuzzTests() => _maker = new BootImageMaker(_folder);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task However_a_disk_is_damaged_its_chain_is_told_or_the_damage_is()
    {
        string disk = await _maker.DiskAsync("gpt", 512, (2048, 2048, BootImageMaker.BiosBoot, null), (4096, 16384, BootImageMaker.Esp, null), (20480, 16384, "linux", _maker.Tree(grub: true)));
        await BootLoader.InstallAsync(disk, null, Token);
        byte[] sound = await File.ReadAllBytesAsync(disk, Token);

        // Where the readers look: tables, the core's list of blocks, the FAT, the superblock and the first groups.
        int[] places = [0, 400, 512, 1024, 2048 * 512, (2048 * 512) + 400, (2048 * 512) + 520, 4096 * 512, (4096 * 512) + 512, (4096 + 40) * 512, (20480 * 512) + 1024, (20480 * 512) + 4096, (20480 * 512) + 70_000];
        Gen.Int[0, places.Length - 1].Select(Gen.Int[0, 400], Gen.Byte.Array[1, 8]).Array[1, 6].Sample(
            damages =>
            {
                byte[] damaged = [.. sound];
                foreach ((int place, int at, byte[] bytes) in damages)
                {
                    bytes.CopyTo(damaged, places[place] + at);
                }

                File.WriteAllBytes(disk, damaged);
                try
                {
                    Assert.NotNull(BootLoader.ExamineAsync(disk, null, Token).GetAwaiter().GetResult().Layout);
                }
                catch (VirtigoException told)
                {
                    Assert.Equal(FailureKind.Host, told.Kind);
                }
            },
            time: 3, threads: 1);
    }

    [Fact]
    public async Task A_FAT_of_any_bytes_is_read_to_an_end()
    {
        string image = Path.Combine(_folder, "fat.img");
        await Tool.RunAsync("mkfs.vfat", ["-C", image, "1440"], Token);
        await Tool.RunAsync("mmd", ["-i", image, "::/EFI"], Token);
        byte[] sound = await File.ReadAllBytesAsync(image, Token);
        Gen.Int[0, 12_000].Select(Gen.Byte.Array[1, 6]).Array[1, 6].Sample(
            damages =>
            {
                byte[] damaged = [.. sound];
                foreach ((int at, byte[] bytes) in damages)
                {
                    bytes.CopyTo(damaged, at);
                }

                File.WriteAllBytes(image, damaged);
                using var disk = new RawDisk(image);
                try
                {
                    if (FatVolume.TryOpen(new DiskRange(disk, 0, disk.Length)) is { } fat)
                    {
                        Assert.True(fat.Names("/").Count < 100_000);
                        _ = fat.File("/EFI/BOOT/BOOTX64.EFI")?.Read(1 << 20);
                    }
                }
                catch (DamagedDiskException)
                {
                    // Told, as it must be.
                }
            },
            time: 1, threads: 1);
    }

    [Fact]
    public void Any_text_is_read_as_a_configuration_and_as_volumes_or_as_neither()
    {
        string[] words = ["menuentry", "search", "--fs-uuid", "set", "prefix=($root)", "'", "\"", "linux", "initrd", "{", "}", "\n", " ", "(hd0", ")", "[", "]", "=", "7", "#", "a", "/grub.cfg", "configfile", "logical_volumes"];
        Gen.Int[0, words.Length - 1].Select(at => words[at]).Array[0, 60].Sample(
            parts =>
            {
                string text = string.Concat(parts);
                _ = GrubConfig.Read(text);
                _ = LvmText.Parse(text);
            },
            time: 1, threads: 1);
    }

    [Fact]
    public void Any_bytes_are_a_core_or_none()
    {
        byte[] sound = GrubBuilder.BiosFile("normal.mod");
        Gen.Int[0, 1000].Select(Gen.Byte.Array[1, 8]).Array[1, 5].Sample(
            damages =>
            {
                byte[] damaged = [.. sound];
                foreach ((int at, byte[] bytes) in damages)
                {
                    bytes.CopyTo(damaged, at);
                }

                _ = ElfModule.Name(damaged);
                _ = GrubCore.FromUefi(damaged);
                _ = GrubCore.FromBios(damaged);
                _ = UndoJournal.Parse(damaged);
            },
            time: 1, threads: 1);
        Assert.Equal("normal", ElfModule.Name(sound));
    }

    [Fact]
    public void Volumes_that_lie_in_pieces_are_put_together_in_their_order()
    {
        const string text = """
            system {
            id = "x"
            extent_size = 1
            physical_volumes {
            pv0 {
            pe_start = 4
            }
            }
            logical_volumes {
            var-log {
            segment_count = 2
            segment1 {
            start_extent = 0
            extent_count = 1
            type = "striped"
            stripe_count = 1	# linear
            stripes = [
            "pv0", 3
            ]
            }
            }
            }
            }
            """;
        LvmText read = LvmText.Parse(text)!.Sections["system"];
        Assert.Equal(1, read.Number("extent_size"));
        LvmText segment = read.Sections["logical_volumes"].Sections["var-log"].Sections["segment1"];
        Assert.Equal(3, segment.Number("stripes"));
        Assert.Equal(1, segment.Number("stripe_count"));
        Assert.Null(segment.Number("type"));
    }
}
