using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using CsCheck;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class DebPackageTests
{
    private static readonly TestArchiveDeb Sample = new("sample", "2:1.0-1")
    {
        Fields = new Dictionary<string, string> { ["Depends"] = "libc6" },
        Files = new Dictionary<string, string>
        {
            ["usr/bin/tool"] = "#!/bin/sh\n",
            ["usr/share/" + new string('d', 90) + "/" + new string('f', 120)] = "long name\n",
        },
        ControlFiles = new Dictionary<string, string> { ["postinst"] = "#!/bin/sh\nexit 0\n" },
    };

    [Theory]
    [InlineData("gzip")]
    [InlineData("xz")]
    [InlineData("zstd")]
    [InlineData("none")]
    public void Packages_of_every_compression_are_read(string compression)
    {
        using DebPackage deb = DebPackage.Open(Write((Sample with { Compression = compression, Noise = 300_000 }).Build()));

        Assert.Equal(("sample", "2:1.0-1", "libc6"), (deb.Control["Package"], deb.Control["Version"], deb.Control["Depends"]));
        Assert.Equal("#!/bin/sh\nexit 0\n"u8.ToArray(), deb.ReadControlFile("postinst"));
        Assert.Null(deb.ReadControlFile("templates"));
        Assert.Equal("#!/bin/sh\n"u8.ToArray(), deb.ReadFile("usr/bin/tool", 100));
        Assert.Equal("long name\n"u8.ToArray(), deb.ReadFile(Sample.Files.Keys.Last(), 100));
        Assert.Equal(300_000, deb.ReadFile("usr/share/sample/noise", 300_000)!.Length);
        Assert.Contains(deb.Files(), entry => entry is { Path: "usr/bin", Type: DebEntryType.Directory, UserId: 0 });
    }

    [Fact]
    public void A_file_larger_than_asked_for_is_refused()
    {
        using DebPackage deb = DebPackage.Open(Write(Sample.Build()));
        Assert.Throws<VirtigoException>(() => deb.ReadFile("usr/bin/tool", 5));
    }

    [Fact]
    public void Links_keep_their_targets_and_modes()
    {
        byte[] data = Tar(
            new PaxTarEntry(TarEntryType.RegularFile, "./usr/bin/a") { Mode = (UnixFileMode)0b101_101_101_101, DataStream = new MemoryStream([1, 2]) },
            new PaxTarEntry(TarEntryType.SymbolicLink, "./usr/bin/b") { LinkName = "../lib/a" },
            new PaxTarEntry(TarEntryType.HardLink, "./usr/bin/c") { LinkName = "./usr/bin/a" });
        using DebPackage deb = DebPackage.Open(Write(Deb(data)));

        DebEntry[] entries = [.. deb.Files()];

        Assert.Equal(["usr/bin/a", "usr/bin/b", "usr/bin/c"], entries.Select(entry => entry.Path));
        Assert.Equal((UnixFileMode)0b101_101_101_101, entries[0].Mode);
        Assert.Equal([null, "../lib/a", "usr/bin/a"], entries.Select(entry => entry.LinkTarget));
    }

    [Theory]
    [InlineData("../etc/passwd")]
    [InlineData("./usr/../../etc/passwd")]
    public void An_entry_that_leaves_the_root_is_refused(string path)
    {
        using DebPackage deb = DebPackage.Open(Write(Deb(Tar(new PaxTarEntry(TarEntryType.RegularFile, path)))));
        var e = Assert.Throws<VirtigoException>(() => deb.Files().ToList());
        Assert.Contains("leaves its root", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_absolute_path_is_taken_below_the_root()
    {
        using DebPackage deb = DebPackage.Open(Write(Deb(Tar(new PaxTarEntry(TarEntryType.RegularFile, "/etc/x")))));
        Assert.Equal("etc/x", deb.Files().Single().Path);
    }

    [Fact]
    public void A_package_without_control_is_refused()
    {
        byte[] control = Tar(new PaxTarEntry(TarEntryType.RegularFile, "./md5sums"));
        var e = Assert.Throws<VirtigoException>(() => DebPackage.Open(Write(Ar(("debian-binary", "2.0\n"u8.ToArray()),
            ("control.tar", control), ("data.tar", Tar())))));
        Assert.Contains("no control file", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_unpacks_without_end_is_stopped()
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            using var tar = new TarWriter(gzip, leaveOpen: true);
            byte[] zeros = new byte[33 << 20];
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "a") { DataStream = new MemoryStream(zeros) });
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "b") { DataStream = new MemoryStream(zeros) });
        }

        var e = Assert.Throws<VirtigoException>(() => DebPackage.Open(Write(Ar(("debian-binary", "2.0\n"u8.ToArray()),
            ("control.tar.gz", packed.ToArray()), ("data.tar", Tar())))));
        Assert.Contains("decompressed", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_truncation_is_refused_or_reads_fewer_files()
    {
        byte[] whole = (Sample with { Compression = "xz" }).Build();
        for (int length = 0; length < whole.Length; length += 7)
        {
            Read(whole[..length]);
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("xz")]
    [InlineData("zstd")]
    [InlineData("none")]
    public void Damaged_packages_are_read_or_refused(string compression)
    {
        byte[] good = (Sample with { Compression = compression }).Build();
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte).Array[1, 5].Sample(
            changes =>
            {
                byte[] bytes = [.. good];
                foreach ((int at, byte value) in changes)
                {
                    bytes[at] = value;
                }

                Read(bytes);
            },
            iter: 300,
            threads: 1);
    }

    [Fact]
    public void Members_of_an_ar_file_are_listed()
    {
        using var file = new MemoryStream(Ar(("debian-binary", "2.0\n"u8.ToArray()), ("odd/", [1, 2, 3]), ("last", [4])));
        IReadOnlyList<ArMember> members = ArReader.ReadMembers(file, "x");

        Assert.Equal([("debian-binary", 4L), ("odd", 3L), ("last", 1L)], members.Select(member => (member.Name, member.Size)));
        using Stream odd = ArReader.Open(file, members[1]);
        Assert.Equal([1, 2, 3], Decompression.ReadAll(odd, 100, "odd", TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Any_bytes_are_an_ar_file_or_refused()
    {
        byte[] start = Ar(("a", [1]))[..68];
        Gen.Byte.Array[0, 200].Sample(
            bytes =>
            {
                foreach (byte[] file in (byte[][])[bytes, [.. start, .. bytes]])
                {
                    try
                    {
                        ArReader.ReadMembers(new MemoryStream(file), "x");
                    }
                    catch (VirtigoException e)
                    {
                        Assert.Equal(FailureKind.Archive, e.Kind);
                    }
                }
            },
            iter: 3000);
    }

    private static void Read(byte[] bytes)
    {
        string path = Write(bytes);
        try
        {
            using DebPackage deb = DebPackage.Open(path);
            foreach (DebEntry entry in deb.Files())
            {
                entry.Content?.CopyTo(Stream.Null);
            }
        }
        catch (VirtigoException e)
        {
            Assert.Equal(FailureKind.Archive, e.Kind);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static string Write(byte[] bytes)
    {
        string path = Path.Combine(TestArchiveTools.NewFolder(), "x.deb");
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static byte[] Deb(byte[] data) => Ar(
        ("debian-binary", "2.0\n"u8.ToArray()),
        ("control.tar", Tar(new PaxTarEntry(TarEntryType.RegularFile, "./control") { DataStream = new MemoryStream("Package: x\n"u8.ToArray()) })),
        ("data.tar", data));

    private static byte[] Tar(params TarEntry[] entries)
    {
        using var stream = new MemoryStream();
        using (var tar = new TarWriter(stream, leaveOpen: true))
        {
            foreach (TarEntry entry in entries)
            {
                tar.WriteEntry(entry);
            }
        }

        return stream.ToArray();
    }

    private static byte[] Ar(params (string Name, byte[] Content)[] members)
    {
        using var stream = new MemoryStream();
        stream.Write("!<arch>\n"u8);
        foreach ((string name, byte[] content) in members)
        {
            stream.Write(Encoding.ASCII.GetBytes($"{name,-16}{0,-12}{0,-6}{0,-6}{"100644",-8}{content.Length,-10}`\n"));
            stream.Write(content);
            stream.Write(content.Length % 2 == 1 ? "\n"u8 : []);
        }

        return stream.ToArray();
    }
}
