using System.Diagnostics;
using System.Text;
using CsCheck;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class CpioTests
{
    private static readonly Gen<string> Part = Gen.String[Gen.Char["abcXYZ019.-_+ é"], 1, 12].Where(part => part is not "." and not "..");
    private static readonly Gen<string> PathOf = Part.Array[1, 4].Select(parts => string.Join('/', parts));
    private static readonly Gen<byte[]> Content = Gen.Byte.Array[0, 600];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_header_has_the_bytes_that_the_kernel_documents()
    {
        byte[] archive = await WriteAsync(async writer => await writer.WriteFileAsync("a", (UnixFileMode)0x1A4, "hi\n"u8.ToArray(), Token));

        string expected = "070701" + "00000001" + "000081A4" + "00000000" + "00000000" + "00000001" + "00000000" + "00000003"
            + "00000000" + "00000000" + "00000000" + "00000000" + "00000002" + "00000000" + "a\0" + "hi\n" + "\0"
            + "070701" + "00000000" + "00000000" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000"
            + "00000000" + "00000000" + "00000000" + "00000000" + "0000000B" + "00000000" + "TRAILER!!!\0";
        Assert.Equal(expected, Encoding.ASCII.GetString(archive).TrimEnd('\0').PadRight(expected.Length, '\0'));
        Assert.Equal(512, archive.Length);
    }

    [Fact]
    public async Task Parents_are_written_once_and_before_their_children()
    {
        byte[] archive = await WriteAsync(async writer =>
        {
            await writer.WriteFileAsync("usr/lib/x", (UnixFileMode)0x1ED, "x"u8.ToArray(), Token);
            await writer.WriteSymlinkAsync("usr/lib/y", "x", Token);
            await writer.WriteDirectoryAsync("usr/share", (UnixFileMode)0x1C0, Token);
        });

        List<(CpioEntry Entry, byte[] Content)> entries = await ReadAllAsync(archive);

        Assert.Equal(["usr", "usr/lib", "usr/lib/x", "usr/lib/y", "usr/share"], entries.Select(one => one.Entry.Path));
        Assert.Equal(CpioEntryType.Symlink, entries[3].Entry.Type);
        Assert.Equal("x", Encoding.ASCII.GetString(entries[3].Content));
        Assert.Equal((UnixFileMode)0x1C0, entries[4].Entry.Mode);
    }

    [Fact]
    public async Task Whatever_is_written_is_read_back()
    {
        await Gen.Select(PathOf, Content).Array[0, 6].SampleAsync(async files =>
        {
            (string Path, byte[] Content)[] unique = [.. files
                .Where(one => !files.Any(other => other.Item1.StartsWith(one.Item1 + "/", StringComparison.Ordinal)))
                .DistinctBy(one => one.Item1).Select(one => (one.Item1, one.Item2))];

            byte[] archive = await WriteAsync(async writer =>
            {
                foreach ((string path, byte[] content) in unique)
                {
                    await writer.WriteFileAsync(path, (UnixFileMode)0x180, new MemoryStream(content), content.Length, Token);
                }
            });

            Assert.Equal(0, archive.Length % 512);
            var read = (await ReadAllAsync(archive)).Where(one => one.Entry.Type == CpioEntryType.File).ToList();
            Assert.Equal(unique.Select(one => one.Path), read.Select(one => one.Entry.Path));
            Assert.All(unique.Zip(read), pair => Assert.Equal(pair.First.Content, pair.Second.Content));
        }, iter: 200);
    }

    [Fact]
    public async Task Concatenated_archives_are_read_as_one()
    {
        byte[] first = await WriteAsync(writer => writer.WriteFileAsync("a", (UnixFileMode)0x1A4, "1"u8.ToArray(), Token));
        byte[] second = await WriteAsync(writer => writer.WriteFileAsync("b", (UnixFileMode)0x1A4, "2"u8.ToArray(), Token));

        Assert.Equal(["a", "b"], (await ReadAllAsync([.. first, .. new byte[4], .. second])).Select(one => one.Entry.Path));
    }

    [Fact]
    public async Task Damage_is_an_error_that_says_so_and_never_anything_else()
    {
        byte[] good = await WriteAsync(async writer =>
        {
            await writer.WriteFileAsync("usr/lib/x", (UnixFileMode)0x1ED, new byte[300], Token);
            await writer.WriteSymlinkAsync("usr/y", "x", Token);
        });
        await Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte, Gen.Int[0, good.Length]).SampleAsync(async (at, value, length) =>
        {
            byte[] bad = good[..length];
            if (at < length)
            {
                bad[at] = value;
            }

            await ReadIgnoringDamageAsync(bad);
        }, iter: 3000);
        await Gen.Byte.Array[0, 500].SampleAsync(ReadIgnoringDamageAsync, iter: 1000);
    }

    [Theory]
    [InlineData("0707010000000100008180", "ends too early")]
    [InlineData("hello, I am not an archive at all: just words that go on and on, further than any header that the format could have had", "no header")]
    public async Task What_is_wrong_is_said(string text, string expected)
    {
        var error = await Assert.ThrowsAsync<InvalidDataException>(() => ReadAllAsync(Encoding.ASCII.GetBytes(text)));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_size_that_lies_does_not_cost_memory()
    {
        string header = "070701" + "00000001" + "000081A4" + "00000000" + "00000000" + "00000001" + "00000000" + "FFFFFFFF"
            + "00000000" + "00000000" + "00000000" + "00000000" + "00000002" + "00000000" + "a\0";
        var reader = new CpioReader(new MemoryStream(Encoding.ASCII.GetBytes(header)));
        await reader.ReadAsync(Token);

        await Assert.ThrowsAsync<InvalidDataException>(() => reader.ReadContentAsync(1000, Token));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/etc/passwd")]
    [InlineData("../x")]
    [InlineData("a//b")]
    [InlineData("./a")]
    [InlineData("TRAILER!!!")]
    public async Task Paths_that_mean_something_else_are_refused(string path)
    {
        var writer = new CpioWriter(new MemoryStream());

        await Assert.ThrowsAsync<ArgumentException>(() => writer.WriteFileAsync(path, (UnixFileMode)0x1A4, Array.Empty<byte>(), Token));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Content_of_another_length_than_announced_is_refused(int length)
    {
        var writer = new CpioWriter(new MemoryStream());

        await Assert.ThrowsAsync<InvalidDataException>(
            () => writer.WriteFileAsync("a", (UnixFileMode)0x1A4, new MemoryStream(new byte[3]), length, Token));
    }

    [Fact]
    public async Task Cpio_itself_reads_it()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/cpio") || File.Exists("/bin/cpio"), "needs cpio");
        byte[] archive = await WriteAsync(async writer =>
        {
            await writer.WriteFileAsync("usr/bin/x", (UnixFileMode)0x1ED, "content"u8.ToArray(), Token);
            await writer.WriteSymlinkAsync("usr/y", "bin/x", Token);
        });
        using Process cpio = Process.Start(new ProcessStartInfo("cpio", "-t -v --quiet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        await cpio.StandardInput.BaseStream.WriteAsync(archive, Token);
        cpio.StandardInput.Close();

        string listing = await cpio.StandardOutput.ReadToEndAsync(Token);
        await cpio.WaitForExitAsync(Token);

        Assert.Equal(0, cpio.ExitCode);
        string[] lines = listing.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(4, lines.Length);
        Assert.Matches("^drwxr-xr-x .* root .* usr$", lines[0]);
        Assert.Matches("^-rwxr-xr-x .* 7 Jan  1  1970 usr/bin/x$", lines[2]);
        Assert.Matches("^lrwxrwxrwx .* usr/y -> bin/x$", lines[3]);
    }

    private static async Task ReadIgnoringDamageAsync(byte[] archive)
    {
        try
        {
            await ReadAllAsync(archive);
        }
        catch (InvalidDataException)
        {
            return;
        }
    }

    private static async Task<byte[]> WriteAsync(Func<CpioWriter, Task> write)
    {
        var output = new MemoryStream();
        var writer = new CpioWriter(output);
        await write(writer);
        await writer.FinishAsync(Token);
        return output.ToArray();
    }

    private static async Task<List<(CpioEntry Entry, byte[] Content)>> ReadAllAsync(byte[] archive)
    {
        var reader = new CpioReader(new MemoryStream(archive));
        var all = new List<(CpioEntry, byte[])>();
        while (await reader.ReadAsync(Token) is { } entry)
        {
            all.Add((entry, await reader.ReadContentAsync(10_000, Token)));
        }

        return all;
    }
}
