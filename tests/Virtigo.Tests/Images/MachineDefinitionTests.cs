using System.Xml.Linq;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class MachineDefinitionTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtigo-test-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static ImageManifest Manifest => TestStore.Manifest(TestStore.KeyOf("a")) with
    {
        Plan =
        [
            new ImagePlanValue("distro", "debian", "default"), new ImagePlanValue("release", "trixie", "archive"), new ImagePlanValue("hostname", "web1", "web.yml:1"),
            new ImagePlanValue("memory", "1536 MiB", "web.yml:2"), new ImagePlanValue("cpus", "2", "web.yml:3"),
        ],
        Packages = [new ImagePackage("qemu-guest-agent", "1", "amd64"), new ImagePackage("cloud-init", "25", "all")],
    };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<DefinitionKind, bool> Kinds { get; } =
    [
        (DefinitionKind.Qemu, false), (DefinitionKind.Libvirt, false), (DefinitionKind.Xen, false), (DefinitionKind.Proxmox, false), (DefinitionKind.CloudInit, false),
        (DefinitionKind.Qemu, true), (DefinitionKind.Libvirt, true), (DefinitionKind.Xen, true), (DefinitionKind.Proxmox, true),
    ];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_definition_is_what_it_was(DefinitionKind kind, bool uefi)
    {
        ImageManifest manifest = uefi ? Manifest with { Firmware = "uefi" } : Manifest;
        foreach (DefinitionFile file in Write(manifest, kind, kind == DefinitionKind.Proxmox ? "/srv/disks/it's web.qcow2" : "/srv/disks/it's, web.qcow2"))
        {
            string name = $"{kind.ToString().ToLowerInvariant()}{(uefi ? "-uefi" : "")}-{file.Name}";
            Golden.Same(name, file.Content, "Images");
            string path = Path.Combine(_folder, name);
            await File.WriteAllTextAsync(path, file.Content, Token);
            if (file.IsScript)
            {
                await Tool.RunAsync("/bin/sh", ["-n", path], Token);
            }
        }
    }

    [Fact]
    public async Task The_script_for_qemu_gives_it_the_disk_and_what_the_user_adds()
    {
        string program = Path.Combine(_folder, "qemu-system-x86_64");
        await File.WriteAllTextAsync(program, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n", Token);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string script = Path.Combine(_folder, "web.sh");
        await File.WriteAllTextAsync(script, Write(Manifest, DefinitionKind.Qemu, "/srv/it's, web.qcow2")[0].Content, Token);
        ToolResult told = await Tool.TryRunAsync(new ChildCommand("/bin/sh", [script, "-snapshot"])
        {
            Environment = new Dictionary<string, string> { ["PATH"] = _folder + ":/usr/bin:/bin", ["SSH_PORT"] = "2200" },
        }, ReadOnlyMemory<byte>.Empty, Token);
        Assert.Equal(0, told.ExitCode);
        string[] words = told.Output.TrimEnd('\n').Split('\n');
        Assert.Equal("if=none,id=disk,file=/srv/it's,, web.qcow2,format=qcow2,discard=unmap", words[Array.IndexOf(words, "-drive") + 1]);
        Assert.Equal("user,id=net,hostfwd=tcp:127.0.0.1:2200-:22", words[Array.IndexOf(words, "-netdev") + 1]);
        Assert.Equal(("2", "1536"), (words[Array.IndexOf(words, "-smp") + 1], words[Array.IndexOf(words, "-m") + 1]));
        Assert.Equal("-snapshot", words[^1]);
    }

    [Fact]
    public void A_domain_names_the_disk_and_its_format_whatever_they_are_called()
    {
        XElement domain = XDocument.Parse(Write(Manifest, DefinitionKind.Libvirt, "/srv/<a>&'b.vhdx", DiskFormat.Vhdx)[0].Content).Root!;
        XElement disk = domain.Element("devices")!.Element("disk")!;
        Assert.Equal("/srv/<a>&'b.vhdx", disk.Element("source")!.Attribute("file")!.Value);
        Assert.Equal("vhdx", disk.Element("driver")!.Attribute("type")!.Value);
    }

    [Theory]
    [InlineData(DefinitionKind.Qemu, DiskFormat.Ova)]
    [InlineData(DefinitionKind.Libvirt, DiskFormat.RawXz)]
    [InlineData(DefinitionKind.Xen, DiskFormat.Vmdk)]
    [InlineData(DefinitionKind.Proxmox, DiskFormat.Vdi)]
    public void A_disk_that_the_hypervisor_cannot_use_is_refused(DefinitionKind kind, DiskFormat format) =>
        Assert.Equal(FailureKind.Usage, Assert.Throws<VirtigoException>(() => Write(Manifest, kind, "/srv/web", format)).Kind);

    [Theory]
    [InlineData(DefinitionKind.Xen, "web.qcow2")]
    [InlineData(DefinitionKind.Xen, "/srv/web\n.qcow2")]
    [InlineData(DefinitionKind.Proxmox, "/srv/web,size=1G.qcow2")]
    public void A_path_that_would_mean_something_else_there_is_refused(DefinitionKind kind, string path) =>
        Assert.Equal(FailureKind.Usage, Assert.Throws<VirtigoException>(() => Write(Manifest, kind, path)).Kind);

    [Fact]
    public void A_manifest_from_elsewhere_cannot_put_commands_into_a_script()
    {
        Assert.Throws<VirtigoException>(() => Write(Manifest with { Name = "web\nreboot" }, DefinitionKind.Qemu, "/srv/web.qcow2"));
        Assert.Throws<VirtigoException>(() => Write(Manifest with { Plan = [new ImagePlanValue("release", "x\nreboot", "")] }, DefinitionKind.Qemu, "/srv/web.qcow2"));
    }

    [Fact]
    public void A_seed_needs_something_that_reads_it()
    {
        VirtigoException error = Assert.Throws<VirtigoException>(() => Write(Manifest with { Packages = [] }, DefinitionKind.CloudInit, "/srv/web.qcow2"));
        Assert.Contains("cloud-init", error.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_seed_becomes_a_volume_where_the_host_has_a_program_for_it(bool hasProgram)
    {
        string program = Path.Combine(_folder, "mkisofs");
        await File.WriteAllTextAsync(program, "#!/bin/sh\ncat \"$8\" \"$9\" > \"$3\"; echo \"$@\" >> \"$3\"\n", Token);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string seed = Path.Combine(_folder, "seed");
        IReadOnlyList<DefinitionFile> files = Write(Manifest, DefinitionKind.CloudInit, "/srv/web.qcow2");
        IReadOnlyList<string> written = await DefinitionFolder.WriteAsync(files, seed, false, name => hasProgram && name == "mkisofs" ? program : null, Token);
        Assert.Equal(hasProgram ? ["meta-data", "user-data", "seed.iso"] : ["meta-data", "user-data"], written.Select(Path.GetFileName));
        Assert.StartsWith("#cloud-config\n", await File.ReadAllTextAsync(Path.Combine(seed, "user-data"), Token));
        if (hasProgram)
        {
            Assert.EndsWith("-quiet -output seed.iso -volid cidata -joliet -rock meta-data user-data\n", await File.ReadAllTextAsync(Path.Combine(seed, "seed.iso"), Token));
        }

        await Assert.ThrowsAsync<VirtigoException>(() => DefinitionFolder.WriteAsync(files, seed, false, _ => null, Token));
    }

    private static IReadOnlyList<DefinitionFile> Write(ImageManifest manifest, DefinitionKind kind, string path, DiskFormat format = DiskFormat.Qcow2) =>
        MachineDefinitions.Write(manifest, kind, new DefinitionOptions { DiskPath = path, Format = format, SshKeys = ["ssh-ed25519 AAAA \"me\"\n"] });
}
