using System.IO.Compression;
using System.Text;
using CsCheck;
using Virtigo.Images;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class IsoImageTests
{
    private const string LongName = "Some Folder With A Long Name/a-file-whose-name-is-longer-than-what-fits-one-directory-record-since-rock-ridge-has-to-"
        + "continue-it-elsewhere-in-the-image-and-that-is-what-this-one-is-for-ok-it-has-to-be-very-very-long-indeed-so-long-that-it-does-not-fit.text";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("rr")]
    [InlineData("joliet")]
    public void Images_of_another_program_are_read_with_the_names_people_gave(string which)
    {
        using IsoImage image = Open(Foreign(which));

        Assert.Equal("Ubuntu-Server 24.04.1 LTS amd64", image.Label);
        Assert.StartsWith("Ubuntu-Server 24.04.1", Encoding.UTF8.GetString(image.Read(image.Find(".disk/info")!, 1000)), StringComparison.Ordinal);
        Assert.Equal(new byte[5000].Select(_ => (byte)'k'), image.Read(image.Find("casper/vmlinuz")!, 5000));
        Assert.Equal(3000, image.Find("casper/initrd")!.Size);
        Assert.True(image.Find("Some Folder With A Long Name")!.IsFolder);
        Assert.Null(image.Find("casper/nothing"));
        Assert.Null(image.Find("casper/vmlinuz/nothing"));
    }

    [Fact]
    public void A_name_that_continues_in_another_place_of_the_image_is_read_whole()
    {
        using IsoImage image = Open(Foreign("rr"));
        Assert.Equal(5, image.Find(LongName)!.Size);
    }

    [Fact]
    public void Without_extensions_names_are_the_formats_own_in_lower_case()
    {
        using IsoImage image = Open(Foreign("plain"));
        Assert.Equal(5000, image.Find("casper/vmlinuz")!.Size);
    }

    [Fact]
    public async Task What_is_written_is_read_again()
    {
        var name = Gen.String[Gen.Char["abcXYZ09-_. é"], 1, 40].Where(one => one.Trim('.').Length > 0);
        var path = Gen.Select(name.Array[0, 3], name, (folders, file) => string.Join('/', folders.Select(folder => "d" + folder).Append("f" + file)));
        var tree = Gen.Dictionary(path, Gen.Byte.Array[0, 6000])[0, 30];
        await tree.SampleAsync(async files =>
        {
            using var output = new MemoryStream();
            await new IsoWriter("cidata", largestExtent: 4096).WriteAsync(output, [.. files.Select(file => IsoContent.Of(file.Key, file.Value))], Token);

            Assert.Equal(0, output.Length % IsoImage.Sector);
            using IsoImage image = Open(output.ToArray());
            Assert.Equal("cidata", image.Label);
            foreach ((string written, byte[] content) in files)
            {
                IsoFile found = image.Find(written)!;
                Assert.Equal(content, image.Read(found, 6000));
                using var copied = new MemoryStream();
                await image.CopyAsync(found, copied, Token);
                Assert.Equal(content, copied.ToArray());
            }
        }, iter: 200);
    }

    [Fact]
    public async Task A_file_larger_than_one_extent_has_several()
    {
        byte[] large = [.. Enumerable.Range(0, 10_000).Select(each => (byte)each)];
        using IsoImage image = Open(await WriteAsync(new IsoWriter("x", largestExtent: 4096), IsoContent.Of("large", large), IsoContent.Of("small", "s")));

        Assert.Equal([4096, 4096, 10_000 - 8192], image.Find("large")!.Extents.Select(extent => (int)extent.Bytes));
        Assert.Equal(large, image.Read(image.Find("large")!, 10_000));
        Assert.Equal(["large", "small"], image.List().Select(file => file.Name));
    }

    [Fact]
    public async Task A_folder_larger_than_a_sector_is_read_whole()
    {
        IsoContent[] files = [.. Enumerable.Range(0, 200).Select(each => IsoContent.Of($"folder/a-file-of-some-length-{each:000}", $"{each}"))];
        using IsoImage image = Open(await WriteAsync(new IsoWriter("x"), files));

        Assert.Equal(200, image.List(image.Find("folder")).Count);
        Assert.Equal("199", Encoding.UTF8.GetString(image.Read(image.Find("folder/a-file-of-some-length-199")!, 10)));
    }

    [Fact]
    public async Task A_file_that_is_not_as_long_as_said_is_refused() =>
        await Assert.ThrowsAsync<InvalidDataException>(() => WriteAsync(new IsoWriter("x"), new IsoContent("a", 5, () => new MemoryStream(new byte[4]))));

    [Fact]
    public void An_image_that_was_cut_off_is_refused_where_something_is_missing()
    {
        byte[] whole = Foreign("rr");
        VirtigoException error = Assert.Throws<VirtigoException>(() =>
        {
            using IsoImage image = Open(whole[..(25 * IsoImage.Sector)]);
            image.Find("casper/vmlinuz");
        });
        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.Contains("damaged or incomplete", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_image_is_refused_by_name()
    {
        VirtigoException error = Assert.Throws<VirtigoException>(() => Open("no image"u8.ToArray()));
        Assert.Equal("look.iso is no ISO image: it has no ISO 9660 volume.", error.Message);
    }

    [Fact]
    public void No_damage_makes_reading_do_anything_but_succeed_or_refuse()
    {
        byte[][] images = [Foreign("rr"), Foreign("joliet"), Foreign("plain")];
        Gen.Select(Gen.Int[0, 2], Gen.Select(Gen.Int[16 * IsoImage.Sector, 34 * IsoImage.Sector], Gen.Byte).Array[1, 20], Gen.Int[0, 8]).Sample((which, changes, cut) =>
        {
            byte[] image = [.. images[which]];
            foreach ((int at, byte value) in changes)
            {
                image[at % image.Length] = value;
            }

            image = cut == 8 ? image[..(image.Length / 2)] : image;
            try
            {
                using IsoImage read = Open(image);
                Everything(read, null, 0);
                _ = read.Find("casper/initrd");
            }
            catch (VirtigoException error)
            {
                Assert.Equal(FailureKind.Usage, error.Kind);
            }
        }, iter: 3000);
    }

    private static void Everything(IsoImage image, IsoFile? folder, int depth)
    {
        foreach (IsoFile file in image.List(folder).Take(50))
        {
            if (file.IsFolder && depth < 4)
            {
                Everything(image, file, depth + 1);
            }
            else if (file.Size < 10_000)
            {
                Assert.Equal(file.Size, image.Read(file, 10_000).Length);
            }
        }
    }

    private static IsoImage Open(byte[] bytes) => IsoImage.Open(new MemoryStream(bytes), "look.iso");

    private static async Task<byte[]> WriteAsync(IsoWriter writer, params IReadOnlyList<IsoContent> files)
    {
        using var output = new MemoryStream();
        await writer.WriteAsync(output, files, Token);
        return output.ToArray();
    }

    private static byte[] Foreign(string which)
    {
        using var packed = new GZipStream(new MemoryStream(Golden.Bytes($"../../Images/golden/{which}.iso.gz")), CompressionMode.Decompress);
        using var image = new MemoryStream();
        packed.CopyTo(image);
        return image.ToArray();
    }
}
