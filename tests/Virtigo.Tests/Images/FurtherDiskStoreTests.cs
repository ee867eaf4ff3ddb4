using System.Formats.Tar;
using System.Text;
using System.Xml.Linq;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Xunit;
using DiskFormat = Virtigo.Images.DiskFormat;

namespace Virtigo.Tests.Images;

public sealed class FurtherDiskStoreTests : IDisposable
{
    private readonly TestStore _test = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task An_image_keeps_all_its_disks_and_finds_one_changed_or_lost()
    {
        StoredImage image = await SealAsync();
        Assert.Equal(["data", "spare"], _test.Store.Find("web").Manifest.FurtherDisks.Select(disk => disk.Name));
        Assert.Equal(16 << 20, image.Manifest.FurtherDisks[0].Disk.VirtualBytes);
        Assert.Equal(image.Disks.Sum(disk => DiskFile.AllocatedBytes(disk.Path)), ImageStore.AllocatedBytes(image));
        Assert.All(image.FurtherDiskPaths, path => Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(path)));
        Assert.True((await _test.Store.VerifyAsync(image, cancellationToken: Token)).IsIntact);

        string data = image.FurtherDiskPaths[0];
        File.SetUnixFileMode(data, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using (FileStream disk = File.OpenWrite(data))
        {
            disk.Position = disk.Length - 1;
            disk.WriteByte(99);
        }

        ImageVerification result = await _test.Store.VerifyAsync(image, cancellationToken: Token);
        Assert.False(result.IsIntact);
        Assert.Equal("data", result.Disk);
        Assert.Equal(image.Manifest.FurtherDisks[0].Disk.Sha256, result.Expected);

        File.Delete(data);
        Assert.Contains("the disk data is missing", Assert.Single(_test.Store.List().Broken).Problem, StringComparison.Ordinal);
        await Assert.ThrowsAsync<VirtigoException>(() => _test.Store.LeaseAsync(image, Token));
    }

    [Fact]
    public async Task A_machine_gets_a_copy_of_each_further_disk_under_its_name()
    {
        StoredImage image = await SealAsync();
        IReadOnlyList<GuestDisk> disks = await ImageStore.OverlayFurtherAsync(image, name => _test.Below(name + ".overlay"), Token);
        Assert.Equal(["data", "spare"], disks.Select(disk => disk.Serial));
        Assert.All(disks, disk => Assert.False(Qcow2Header.Read(disk.Path).IsSelfContained));
        Assert.Equal(16 << 20, Qcow2Header.Read(disks[0].Path).VirtualBytes);
    }

    [Fact]
    public async Task One_disk_is_exported_by_its_name_and_never_one_of_several_in_silence()
    {
        StoredImage image = await SealAsync();
        await RefusedAsync(new ExportOptions { Format = DiskFormat.Raw }, "The image web has several disks, and a raw file holds one: system, data, spare.");
        await RefusedAsync(new ExportOptions { Format = DiskFormat.Raw, Disk = "date" }, "has no disk date; it has: system, data, spare.");
        await RefusedAsync(new ExportOptions { Format = DiskFormat.Ova, Disk = "data" }, "An OVA holds all disks");
        await RefusedAsync(new ExportOptions { Format = DiskFormat.Raw, Disk = "data", DiskBytes = 1L << 30 }, "Only the first disk can be exported larger");

        string path = _test.Below("data.raw");
        await _test.Store.ExportAsync(image, path, new ExportOptions { Format = DiskFormat.Raw, Disk = "data" }, null, Token);
        byte[] content = await File.ReadAllBytesAsync(path, Token);
        Assert.Equal(16 << 20, content.Length);
        Assert.Equal("EFI PART", Encoding.ASCII.GetString(content, 512, 8));
        string first = _test.Below("system.raw");
        await _test.Store.ExportAsync(image, first, new ExportOptions { Format = DiskFormat.Raw, Disk = "system" }, null, Token);
        Assert.Equal(TestStore.Content, await File.ReadAllBytesAsync(first, Token));

        async Task RefusedAsync(ExportOptions options, string problem)
        {
            VirtigoException wrong = await Assert.ThrowsAsync<VirtigoException>(() => _test.Store.ExportAsync(image, _test.Below("refused"), options, null, Token));
            Assert.Equal(FailureKind.Usage, wrong.Kind);
            Assert.Contains(problem, wrong.Message, StringComparison.Ordinal);
            Assert.False(File.Exists(_test.Below("refused")));
        }
    }

    [Fact]
    public async Task An_ova_holds_all_disks_at_their_places()
    {
        StoredImage image = await SealAsync();
        string path = _test.Below("web.ova");
        await _test.Store.ExportAsync(image, path, new ExportOptions { Format = DiskFormat.Ova }, null, Token);
        var names = new List<string>();
        var ovf = new MemoryStream();
        await using (FileStream file = File.OpenRead(path))
        {
            await using var tar = new TarReader(file);
            while (await tar.GetNextEntryAsync(cancellationToken: Token) is { } entry)
            {
                names.Add(entry.Name);
                if (entry.Name == "web.ovf")
                {
                    await entry.DataStream!.CopyToAsync(ovf, Token);
                }
            }
        }

        Assert.Equal(["web.ovf", "web.mf", "web-disk1.vmdk", "web-disk2.vmdk", "web-disk3.vmdk"], names);
        ovf.Position = 0;
        XElement envelope = XDocument.Load(ovf).Root!;
        XNamespace space = envelope.Name.Namespace;
        Assert.Equal([(8 << 20).ToString(System.Globalization.CultureInfo.InvariantCulture), "16777216", "67108864"],
            envelope.Descendants(space + "Disk").Select(disk => disk.Attribute(space + "capacity")!.Value));
        string[] ids = [.. envelope.Descendants().Where(one => one.Name.LocalName == "InstanceID").Select(one => one.Value)];
        Assert.Equal(ids.Distinct(), ids);
        Assert.Equal(["web.ova"], Directory.GetFiles(Path.GetDirectoryName(path)!).Select(Path.GetFileName).Where(name => name!.StartsWith("web", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(DefinitionKind.Qemu, "-device virtio-blk-pci,drive=disk1,addr=0x11,serial=data \\", "file=/srv/web-spare.qcow2")]
    [InlineData(DefinitionKind.Libvirt, "<serial>data</serial>", "<source file=\"/srv/web-spare.qcow2\" />")]
    [InlineData(DefinitionKind.Xen, ", \"format=qcow2, vdev=xvdb, access=rw, target=/srv/web-data.qcow2\", ", "vdev=xvdc, access=rw, target=/srv/web-spare.qcow2")]
    [InlineData(DefinitionKind.Proxmox, "--virtio1 \"$storage:0,import-from=\"/srv/web-data.qcow2\",discard=on,serial=data\" ", "--virtio2 \"$storage:0,import-from=\"/srv/web-spare.qcow2\"")]
    public async Task A_definition_has_all_disks(DefinitionKind kind, string data, string spare)
    {
        ImageManifest manifest = (await SealAsync()).Manifest;
        DefinitionFile file = MachineDefinitions.Write(manifest, kind, new DefinitionOptions { DiskPath = "/srv/web.qcow2", Format = DiskFormat.Qcow2 })[0];
        Assert.Contains(data, file.Content, StringComparison.Ordinal);
        Assert.Contains(spare, file.Content, StringComparison.Ordinal);
        if (file.IsScript)
        {
            string script = _test.Below("script");
            await File.WriteAllTextAsync(script, file.Content, Token);
            await Tool.RunAsync("/bin/sh", ["-n", script], Token);
        }
    }

    private async Task<StoredImage> SealAsync()
    {
        await using ImageDraft draft = await _test.BeginAsync("several");
        string raw = _test.Below("first.raw");
        await File.WriteAllBytesAsync(raw, TestStore.Content, Token);
        await QemuImage.RunAsync(["convert", "-f", "raw", "-O", "qcow2", raw, draft.DiskPath], "no disk.", null, Token);
        await new PartitionPlan(Guid.NewGuid(), [new(1 << 20, 8 << 20, PartitionPlan.LinuxData, Guid.NewGuid())]).CreateAsync(draft.FurtherDiskPath("data"), 16 << 20, Token);
        await new PartitionPlan(Guid.NewGuid(), []).CreateAsync(draft.FurtherDiskPath("spare"), 64 << 20, Token);
        ImageManifest manifest = TestStore.Manifest(draft.Key, "web", disk: await draft.MeasureDiskAsync(Token)) with
        {
            FurtherDisks = [await draft.MeasureFurtherDiskAsync("data", Token), await draft.MeasureFurtherDiskAsync("spare", Token)],
        };
        return await draft.SealAsync(manifest, Token);
    }
}
