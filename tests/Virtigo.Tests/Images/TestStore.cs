using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Virtigo.Host;
using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

/// <summary>A store in a folder of its own, with a clock that stands still.</summary>
internal sealed class TestStore : IDisposable
{
    public static readonly DateTimeOffset Today = new(2030, 5, 17, 12, 0, 0, TimeSpan.Zero);
    private readonly string _root = Directory.CreateTempSubdirectory("virtigo-test-").FullName;

    public TestStore()
    {
        Paths = new HostPaths(Below("cache"), Below("data"), Below("state"), Below("config"), Below("run"));
        Clock = new FakeTimeProvider(Today);
        Store = new ImageStore(Paths, Clock);
    }

    public HostPaths Paths { get; }

    public FakeTimeProvider Clock { get; }

    public ImageStore Store { get; }

    public static string KeyOf(string seed) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(seed)));

    public string Below(string name) => Path.Combine(_root, name);

    /// <summary>An image whose disk is a header and nothing else: enough for everything but QEMU.</summary>
    public async Task<StoredImage> SealAsync(string seed, string name = "web", TimeSpan age = default)
    {
        await using ImageDraft draft = await BeginAsync(seed);
        await File.WriteAllBytesAsync(draft.DiskPath, Header(8 << 20), Token);
        return await draft.SealAsync(Manifest(draft.Key, name, Today - age, await draft.MeasureDiskAsync(Token)), Token);
    }

    /// <summary>An image with a real disk of 8 MiB whose first MiB is filled.</summary>
    public async Task<StoredImage> SealRealAsync(string seed)
    {
        await using ImageDraft draft = await BeginAsync(seed);
        string raw = Below("content.raw");
        await File.WriteAllBytesAsync(raw, Content, Token);
        await QemuImage.RunAsync(["convert", "-f", "raw", "-O", "qcow2", raw, draft.DiskPath], "no disk.", null, Token);
        return await draft.SealAsync(Manifest(draft.Key, "web", Today, await draft.MeasureDiskAsync(Token)), Token);
    }

    /// <summary>An image with a disk that was made before.</summary>
    public async Task<StoredImage> SealDiskAsync(string seed, string disk, Func<ImageManifest, ImageManifest>? edit = null)
    {
        await using ImageDraft draft = await BeginAsync(seed);
        File.Copy(disk, draft.DiskPath);
        ImageManifest manifest = Manifest(draft.Key, seed, Today, await draft.MeasureDiskAsync(Token));
        return await draft.SealAsync(edit is null ? manifest : edit(manifest), Token);
    }

    public static byte[] Content { get; } = [.. Enumerable.Repeat((byte)7, 1 << 20), .. new byte[7 << 20]];

    public async Task<ImageDraft> BeginAsync(string seed) =>
        await Store.BeginAsync(KeyOf(seed), cancellationToken: Token) ?? throw new InvalidOperationException("the image is there already");

    public static byte[] Header(long size, ulong backing = 0, ulong incompatible = 0)
    {
        byte[] header = new byte[104];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(header, 0x514649FB);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4), 3);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(header.AsSpan(8), backing);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(24), size);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(header.AsSpan(72), incompatible);
        return header;
    }

    public static ImageManifest Manifest(string key, string name = "web", DateTimeOffset? created = null, ImageDisk? disk = null) => new()
    {
        Name = name,
        Key = key,
        Created = created ?? Today,
        ToolVersion = "0.1.0",
        Spec = "packages: [nginx]\n",
        Plan = [new ImagePlanValue("hostname", name, "web.yml:1")],
        Installer = new ImageInstaller("20250803", "images directory", "6.12.41", [new ImageComponent("anna", "1.9", KeyOf("anna"), "archive")]),
        Archives = [new ImageArchive("http://mirror.example/debian", "trixie", "trixie", KeyOf("release"), Today)],
        Packages = [new ImagePackage("nginx", "1.26.3-3", "amd64")],
        Materials = [new ImageMaterial("http://mirror.example/debian/pool/n.deb", KeyOf("n"), 1234, "packages:trixie")],
        Disk = disk ?? new ImageDisk("qcow2", 8 << 20, 104, 4096, KeyOf("disk")),
        Timings = [new ImageTiming("partition", 1.5)],
        BootTest = new ImageBootTest(31, [], true),
        Hypervisor = new ImageHypervisor("qemu", "7.2.22", "tcg"),
    };

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static CancellationToken Token => TestContext.Current.CancellationToken;
}
