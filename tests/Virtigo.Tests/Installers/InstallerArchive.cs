using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Installers.Debian;
using Virtigo.Tests.Archives;
using Xunit;

namespace Virtigo.Tests.Installers;

/// <summary>A signed archive with a small installer, served by this process, and a home to assemble it in.</summary>
internal sealed class InstallerArchive : IAsyncDisposable
{
    public const string Kernel = "6.1.2+deb13-amd64";
    public const string ModulesUdeb = $"ext4-modules-{Kernel}-di";
    public const string InstallerPackage = "debian-installer-13-netboot-amd64";
    private const UnixFileMode Mode = (UnixFileMode)0x1A4;
    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-test-").FullName;

    private InstallerArchive(TestArchive archive) => Archive = archive;

    public TestArchive Archive { get; }

    public TestArchiveServer Server => Archive.Server;

    public HostPaths Paths => PathsOf("home");

    public static IReadOnlyList<string> Wanted { get; } = ["base-installer", "e2fsprogs-udeb", "ext4-modules"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="modulesKernel">The kernel that the archive's installer modules are for.</param>
    /// <param name="initrd">What the installer's initial file system is; null for one that is right.</param>
    public static async Task<InstallerArchive> StartAsync(string modulesKernel = Kernel, byte[]? initrd = null)
    {
        byte[] packed = initrd ?? Gzip(await InitrdAsync());
        return new InstallerArchive(TestArchive.Start(
        [
            Installer("debian-installer-12-netboot-amd64", "20230607", "old kernel", packed),
            Installer(InstallerPackage, "20250803+deb13u7", "the kernel", packed),
            new("base-installer", "1.226", "all")
            {
                Udeb = true,
                Fields = Fields(("Priority", "standard"), ("Depends", "debootstrap-udeb, cdebconf-udeb, ata-modules")),
                ControlFiles = Fields(("templates", "Template: base-installer/kernel/image\nType: select\n")),
                Files = Fields(("usr/bin/x", "x")),
            },
            new("debootstrap-udeb") { Udeb = true, Fields = Fields(("Priority", "optional")), Files = Fields(("usr/sbin/debootstrap", "d")) },
            new("e2fsprogs-udeb") { Udeb = true, Fields = Fields(("Priority", "optional")), Files = Fields(("sbin/mke2fs", "the archive's own")) },
            new("partman-lvm")
            {
                Udeb = true,
                Fields = Fields(("Depends", "cdebconf-udeb")),
                ControlFiles = Fields(("templates", "Template: partman-lvm/confirm\nType: boolean\n")),
                Files = Fields(("usr/bin/lvm", "l")),
            },
            new("mystery-udeb") { Udeb = true, Files = Fields(("usr/bin/mystery", "?")) },
            new("eject-udeb", "2.0-1") { Udeb = true, Files = Fields(("usr/bin/eject", "2")) },
            new($"ext4-modules-{modulesKernel}-di", "6.1.2-1")
            {
                Udeb = true,
                Fields = Fields(("Priority", "standard"), ("Kernel-Version", modulesKernel), ("Provides", "ext2-modules, ext4-modules")),
                Files = Fields(("lib/modules/x", "the archive's own")),
            },
            new($"linux-image-{Kernel}", "6.1.2-1")
            {
                Compression = "xz",
                Files = Fields(
                    Module("fs/ext4/ext4", "jbd2,crc16,mbcache"), Module("fs/jbd2/jbd2", ""), Module("fs/mbcache", "crc-thing"),
                    Module("lib/crc-thing", ""), Module("lib/crc16", ""), Module("fs/xfs/xfs", ""), ($"boot/vmlinuz-{Kernel}", "kernel")),
            },
            new("e2fsprogs")
            {
                Files = Fields(("sbin/mke2fs", "mke2fs"), ("usr/sbin/tune2fs", "tune2fs"), ("usr/share/doc/e2fsprogs/x", "doc"), ("etc/mke2fs.conf", "conf")),
            },
            new("libext2fs2t64") { Files = Fields(("usr/lib/x86_64-linux-gnu/libext2fs.so.2", "lib")) },
            new("libss2") { Files = Fields(("lib/x86_64-linux-gnu/libss.so.2", "lib")) },
            new("libcom-err2") { Files = Fields(("lib/x86_64-linux-gnu/libcom_err.so.2", "lib")) },
            new("eject", "1.9-1") { Files = Fields(("usr/bin/eject", "1.9")) },
        ]));
    }

    /// <summary>Publishes an images directory beside the package.</summary>
    public async Task AddImagesAsync()
    {
        const string Images = "main/installer-amd64/current/images/";
        byte[] kernel = "the kernel of the images directory"u8.ToArray();
        byte[] initrd = Gzip(await InitrdAsync());
        var sums = new StringBuilder();
        foreach ((string name, byte[] content) in (ReadOnlySpan<(string, byte[])>)[("linux", kernel), ("initrd.gz", initrd)])
        {
            string path = $"netboot/debian-installer/amd64/{name}";
            sums.Append($"{Convert.ToHexStringLower(SHA256.HashData(content))}  ./{path}\n");
            Server.Put($"dists/trixie/{Images}{path}", content);
        }

        Archive.AddSuiteFile(Images + "SHA256SUMS", Encoding.ASCII.GetBytes(sums.ToString()));
        foreach ((string name, byte[] content) in (ReadOnlySpan<(string, byte[])>)[("linux", kernel), ("initrd.gz", initrd)])
        {
            Server.Put($"dists/trixie/{Images}netboot/debian-installer/amd64/{name}", content);
        }
    }

    public HostPaths PathsOf(string name)
    {
        string root = Path.Combine(_home, name);
        return new HostPaths(root + "/cache", root + "/data", root + "/state", root + "/config", root + "/run");
    }

    /// <summary>Assembles with a client of its own.</summary>
    public async Task<InstallerBuild> AssembleAsync(IReadOnlyList<string>? wanted = null, string home = "home", bool offline = false)
    {
        HostPaths paths = PathsOf(home);
        using var client = new ArchiveClient(new Pool(paths.Pool), new ArchiveOptions { Clock = new HurriedClock(), Offline = offline });
        return await new InstallerAssembler(client, paths).AssembleAsync(Archive.Source, "amd64", wanted ?? Wanted, Token);
    }

    public async ValueTask DisposeAsync()
    {
        await Archive.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }

    public static byte[] Gzip(byte[] content)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(content);
        }

        return packed.ToArray();
    }

    /// <summary>The plain initial file system of the installer.</summary>
    public static async Task<byte[]> InitrdAsync(bool merged = true)
    {
        var cpio = new MemoryStream();
        var writer = new CpioWriter(cpio);
        string modules = merged ? "usr/lib/modules" : "lib/modules";
        if (merged)
        {
            await writer.WriteSymlinkAsync("lib", "usr/lib", Token);
        }

        await TextAsync("etc/lsb-release", "DISTRIB_RELEASE=\"13 (trixie) - installer build 20250803+deb13u7\"\n");
        await TextAsync("var/lib/dpkg/status", "Package: cdebconf-udeb\nVersion: 1\nProvides: debconf-2.0\n\nPackage: main-menu\nVersion: 1\n");
        await TextAsync("var/lib/dpkg/info/main-menu.templates", "Template: debian-installer/main-menu\nType: select\n");
        await TextAsync($"{modules}/{Kernel}/kernel/lib/crc16.ko.xz", "");
        await writer.FinishAsync(Token);
        return cpio.ToArray();

        Task TextAsync(string path, string text) => writer.WriteFileAsync(path, Mode, Encoding.UTF8.GetBytes(text), Token);
    }

    private static TestArchiveDeb Installer(string name, string version, string kernel, byte[] initrd)
    {
        const string Images = "usr/lib/debian-installer/images/13/amd64/";
        return new TestArchiveDeb(name, version, "all")
        {
            Files = Fields(
                (Images + "gtk/debian-installer/amd64/linux", "kernel with pictures"), (Images + "text/debian-installer/amd64/linux", kernel)),
            Binaries = new Dictionary<string, byte[]> { [Images + "text/debian-installer/amd64/initrd.gz"] = initrd },
        };
    }

    private static (string Path, string Content) Module(string path, string depends) =>
        ($"usr/lib/modules/{Kernel}/kernel/{path}.ko", $"module\0depends={depends}\0name={path}\0");

    private static Dictionary<string, string> Fields(params (string Name, string Value)[] fields) =>
        fields.ToDictionary(field => field.Name, field => field.Value);
}
