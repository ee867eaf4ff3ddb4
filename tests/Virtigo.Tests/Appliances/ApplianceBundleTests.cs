using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.Tests.Images;
using Xunit;

namespace Virtigo.Tests.Appliances;

/// <summary>Bundles come from strangers: only what a bundle has is taken, and only where it belongs.</summary>
public sealed class ApplianceBundleTests : IDisposable
{
    private readonly TestStore _test = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Bundle => _test.Below("web.bundle");

    private string Folder => _test.Below("here");

    public ApplianceBundleTests() => Directory.CreateDirectory(Path.GetDirectoryName(Bundle)!);

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task Its_files_go_into_the_cache_and_the_spec_with_its_lock_into_the_folder()
    {
        byte[] deb = "a package"u8.ToArray();
        Write([.. Whole(), Entry("pool/" + Hash(deb), deb)]);

        string spec = await ReadAsync();

        Assert.Equal(Path.Combine(Folder, "web.yml"), spec);
        Assert.Equal("packages: [nginx]\n", await File.ReadAllTextAsync(spec, Token));
        Assert.True(File.Exists(Path.Combine(Folder, "web.lock")));
        Assert.Equal(deb, await File.ReadAllBytesAsync(new Pool(_test.Paths.Pool).Find(Hash(deb))!, Token));
    }

    [Fact]
    public async Task A_file_that_is_not_what_its_name_says_is_refused_and_not_kept()
    {
        Write([.. Whole(), Entry("pool/" + Hash("a"u8.ToArray()), "b"u8.ToArray())]);

        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => ReadAsync());

        Assert.Equal(FailureKind.Trust, error.Kind);
        Assert.Null(new Pool(_test.Paths.Pool).Find(Hash("a"u8.ToArray())));
        Assert.False(Directory.Exists(Folder));
    }

    [Theory]
    [InlineData("spec/../../evil.yml")]
    [InlineData("spec/..")]
    [InlineData("/etc/evil.yml")]
    [InlineData("pool/../evil")]
    [InlineData("pool/AAAA")]
    [InlineData("evil")]
    public async Task Anything_else_is_refused(string name)
    {
        Write([.. Whole(), Entry(name, "evil"u8.ToArray())]);

        Assert.Equal(FailureKind.Usage, (await Assert.ThrowsAsync<VirtigoException>(() => ReadAsync())).Kind);
        Assert.False(Directory.Exists(Folder));
    }

    [Theory]
    [InlineData(TarEntryType.SymbolicLink)]
    [InlineData(TarEntryType.HardLink)]
    [InlineData(TarEntryType.Directory)]
    public async Task Links_and_folders_are_refused(TarEntryType type)
    {
        var entry = new PaxTarEntry(type, "spec/web.yml");
        if (type != TarEntryType.Directory)
        {
            entry.LinkName = "/etc/passwd";
        }

        Write([entry]);

        Assert.Equal(FailureKind.Usage, (await Assert.ThrowsAsync<VirtigoException>(() => ReadAsync())).Kind);
    }

    [Fact]
    public async Task What_the_spec_brings_goes_beside_it_and_through_no_link()
    {
        var program = Entry("spec/files/bin/tool", "#!/bin/sh\n"u8.ToArray());
        program.Mode = (UnixFileMode)0x1FF;
        Write([.. Whole(), program]);
        string outside = Directory.CreateDirectory(_test.Below("outside")).FullName;
        Directory.CreateDirectory(Folder);
        File.CreateSymbolicLink(Path.Combine(Folder, "files"), outside);

        Assert.Contains("is a link", (await Assert.ThrowsAsync<VirtigoException>(() => ReadAsync())).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(outside));

        File.Delete(Path.Combine(Folder, "files"));
        await ReadAsync(force: true);
        Assert.Equal((UnixFileMode)0x1ED, File.GetUnixFileMode(Path.Combine(Folder, "files/bin/tool")));
    }

    [Fact]
    public async Task Files_that_are_there_stay_unless_forced()
    {
        Write([.. Whole()]);
        Directory.CreateDirectory(Folder);
        await File.WriteAllTextAsync(Path.Combine(Folder, "web.lock"), "mine", Token);

        Assert.Contains("web.lock exists", (await Assert.ThrowsAsync<VirtigoException>(() => ReadAsync())).Message, StringComparison.Ordinal);
        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(Folder, "web.lock"), Token));

        await ReadAsync(force: true);
        Assert.NotEqual("mine", await File.ReadAllTextAsync(Path.Combine(Folder, "web.lock"), Token));
    }

    [Fact]
    public async Task Damaged_bundles_are_refused_and_nothing_else()
    {
        Write([.. Whole()]);
        byte[] whole = await File.ReadAllBytesAsync(Bundle, Token);
        await Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte, Gen.Int[0, whole.Length]).SampleAsync(async (place, value, length) =>
        {
            byte[] damaged = whole[..length];
            if (place < length)
            {
                damaged[place] = value;
            }

            string file = _test.Below(Guid.NewGuid() + ".bundle");
            await File.WriteAllBytesAsync(file, damaged, Token);
            try
            {
                await ApplianceBundle.ReadAsync(file, _test.Below(Guid.NewGuid().ToString()), false, _test.Paths, Token);
            }
            catch (VirtigoException error)
            {
                Assert.True(error.Kind is FailureKind.Usage or FailureKind.Trust, error.ToString());
            }
        }, iter: 300);
    }

    private static string Hash(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private static PaxTarEntry Entry(string name, byte[] content) => new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) };

    private static PaxTarEntry[] Whole() => [Entry("spec/web.yml", "packages: [nginx]\n"u8.ToArray()), Entry("spec/web.lock", Encoding.UTF8.GetBytes("{}"))];

    private void Write(PaxTarEntry[] entries)
    {
        using FileStream file = File.Create(Bundle);
        using var tar = new TarWriter(file);
        foreach (PaxTarEntry entry in entries)
        {
            tar.WriteEntry(entry);
        }
    }

    private Task<string> ReadAsync(bool force = false) => ApplianceBundle.ReadAsync(Bundle, Folder, force, _test.Paths, Token);
}
