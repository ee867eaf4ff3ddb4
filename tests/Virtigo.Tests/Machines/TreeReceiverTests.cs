using System.Formats.Tar;
using System.Text;
using CsCheck;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.Tests.Machines;

public sealed class TreeReceiverTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Root => Path.Combine(_folder.FullName, "root");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_tree_sent_and_received_is_the_same_with_modes_times_links_and_holes()
    {
        string source = Path.Combine(_folder.FullName, "source");
        Directory.CreateDirectory(Path.Combine(source, "sub", "empty"));
        string script = Path.Combine(source, "sub", "script");
        await System.IO.File.WriteAllTextAsync(script, "echo hi", Token);
        System.IO.File.SetUnixFileMode(script, (UnixFileMode)0x1e8);
        System.IO.File.SetLastWriteTimeUtc(script, new DateTime(2020, 1, 2, 3, 4, 5, DateTimeKind.Utc));
        System.IO.File.CreateSymbolicLink(Path.Combine(source, "link"), "sub/script");
        string sparse = Path.Combine(source, "sparse");
        await using (FileStream file = System.IO.File.Create(sparse))
        {
            file.SetLength(50 << 20);
            file.Position = 20 << 20;
            file.Write("in the middle"u8);
        }

        using var archive = new MemoryStream();
        await TreeSender.SendAsync(source, "", archive, Token);
        Assert.InRange(archive.Length, 1, 1 << 20);
        archive.Position = 0;
        Assert.Empty(await ReceiveAsync(archive));

        string received = Path.Combine(Root, "sub", "script");
        Assert.Equal("echo hi", await System.IO.File.ReadAllTextAsync(received, Token));
        Assert.Equal((UnixFileMode)0x1e8, System.IO.File.GetUnixFileMode(received));
        Assert.Equal(System.IO.File.GetLastWriteTimeUtc(script), System.IO.File.GetLastWriteTimeUtc(received));
        Assert.True(Directory.Exists(Path.Combine(Root, "sub", "empty")));
        Assert.Equal("sub/script", new FileInfo(Path.Combine(Root, "link")).LinkTarget);
        Assert.Equal(await System.IO.File.ReadAllBytesAsync(sparse, Token), await System.IO.File.ReadAllBytesAsync(Path.Combine(Root, "sparse"), Token));
        Assert.InRange(Virtigo.Host.DiskFile.AllocatedBytes(Path.Combine(Root, "sparse")), 0, 1 << 20);
    }

    [Theory]
    [InlineData("../evil")]
    [InlineData("a/../../evil")]
    [InlineData("/etc/evil")]
    [InlineData("..")]
    public async Task A_name_that_climbs_is_refused(string name)
    {
        await Assert.ThrowsAsync<InvalidDataException>(() => ReceiveAsync(Archive(File(name))));

        Assert.False(Path.Exists(Path.Combine(_folder.FullName, "evil")));
    }

    [Fact]
    public async Task Links_that_leave_the_folder_are_left_out_and_nothing_is_written_through_a_link()
    {
        string outside = _folder.CreateSubdirectory("outside").FullName;
        IReadOnlyList<string> leftOut = await ReceiveAsync(Archive(
            Link("absolute", outside), Link("up", "../outside"), Link("deep/up", "../../outside"), Link("winding", "deep/../../outside"),
            Link("fine", "deep/file"), Link("through", outside), File("through/file"), File("deep/file")));

        Assert.Equal(5, leftOut.Count);
        Assert.Empty(Directory.EnumerateFileSystemEntries(outside));
        Assert.Equal("content", await System.IO.File.ReadAllTextAsync(Path.Combine(Root, "fine"), Token));
        Assert.True(System.IO.File.Exists(Path.Combine(Root, "through", "file")));
    }

    [Fact]
    public async Task Devices_are_left_out_and_special_bits_dropped()
    {
        var program = new PaxTarEntry(TarEntryType.RegularFile, "program") { Mode = (UnixFileMode)0xfff, DataStream = new MemoryStream([1]) };
        IReadOnlyList<string> leftOut = await ReceiveAsync(Archive(
            program, new PaxTarEntry(TarEntryType.BlockDevice, "disk") { DeviceMajor = 8 }, new PaxTarEntry(TarEntryType.Fifo, "pipe")));

        Assert.Equal(["disk", "pipe"], leftOut);
        Assert.Equal((UnixFileMode)0x1ff, System.IO.File.GetUnixFileMode(Path.Combine(Root, "program")));
    }

    [Fact]
    public async Task Entries_and_bytes_are_counted()
    {
        await Assert.ThrowsAsync<InvalidDataException>(() => ReceiveAsync(Archive(File("a"), File("b"), File("c")), new TreeLimits(Entries: 2)));
        await Assert.ThrowsAsync<InvalidDataException>(() => ReceiveAsync(Archive(File("a"), File("b")), new TreeLimits(Bytes: 10)));
    }

    [Fact]
    public async Task A_sparse_file_with_an_absurd_map_is_refused()
    {
        foreach (string map in (string[])["1\n100\n100\n", "1\n0\n9999999999999999999999\n", "x\n", "-1\n", "2\n0\n1\n"])
        {
            var keys = new Dictionary<string, string>
            {
                ["GNU.sparse.major"] = "1", ["GNU.sparse.minor"] = "0", ["GNU.sparse.name"] = "s", ["GNU.sparse.realsize"] = "150",
            };
            byte[] content = new byte[600];
            Encoding.ASCII.GetBytes(map).CopyTo(content, 0);
            var entry = new PaxTarEntry(TarEntryType.RegularFile, "x", keys) { DataStream = new MemoryStream(content) };
            await Assert.ThrowsAsync<InvalidDataException>(() => ReceiveAsync(Archive(entry)));
        }
    }

    [Fact]
    public void A_damaged_archive_is_refused_or_read_but_never_gets_out_or_breaks_the_reader()
    {
        byte[] sample = Archive(
            File("a/" + new string('n', 150)), Link("l", "a"), new PaxTarEntry(TarEntryType.HardLink, "h") { LinkName = "a/" + new string('n', 150) }).ToArray();
        Gen.Select(Gen.Int[0, sample.Length - 1], Gen.Byte, Gen.Int[0, sample.Length], Gen.Bool).Sample((at, value, cut, shorten) =>
        {
            byte[] damaged = [.. sample];
            damaged[at] = value;
            if (at % 512 is < 148 or >= 156)
            {
                Repair(damaged, at / 512 * 512);
            }

            string root = Path.Combine(_folder.FullName, Guid.NewGuid().ToString("N"));
            Directory.CreateDirectory(root);
            try
            {
                new TreeReceiver(root, new TreeLimits()).ReceiveAsync(new MemoryStream(damaged, 0, shorten ? cut : damaged.Length), Token).GetAwaiter().GetResult();
            }
            catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
            {
            }

            Directory.Delete(root, recursive: true);
        }, iter: 400, threads: 1);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.FullName));
    }

    private static void Repair(byte[] archive, int header)
    {
        int sum = 0;
        for (int i = 0; i < 512; i++)
        {
            sum += i is >= 148 and < 156 ? ' ' : archive[header + i];
        }

        Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(archive, header + 148);
    }

    private static PaxTarEntry File(string name) => new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream("content"u8.ToArray()) };

    private static PaxTarEntry Link(string name, string target) => new(TarEntryType.SymbolicLink, name) { LinkName = target };

    private static MemoryStream Archive(params PaxTarEntry[] entries)
    {
        var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, TarEntryFormat.Pax, leaveOpen: true))
        {
            foreach (PaxTarEntry entry in entries)
            {
                writer.WriteEntry(entry);
            }
        }

        archive.Position = 0;
        return archive;
    }

    private Task<IReadOnlyList<string>> ReceiveAsync(Stream archive, TreeLimits? limits = null)
    {
        Directory.CreateDirectory(Root);
        return new TreeReceiver(Root, limits ?? new TreeLimits()).ReceiveAsync(archive, Token);
    }
}
