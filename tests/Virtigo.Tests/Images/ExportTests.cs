using System.Diagnostics;
using System.Formats.Tar;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class ExportTests : IDisposable
{
    private static readonly XNamespace s_ovf = "http://schemas.dmtf.org/ovf/envelope/1";
    private static readonly XNamespace s_rasd = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData";
    private readonly TestStore _test = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _test.Dispose();

    [Theory]
    [InlineData(DiskFormat.Vmdk, "vmdk", 1 << 20)]
    [InlineData(DiskFormat.Vdi, "vdi", 4 << 20)]
    [InlineData(DiskFormat.Vhdx, "vhdx", 30 << 20)]
    public async Task A_disk_of_another_hypervisor_holds_the_disks_bytes_and_not_its_holes(DiskFormat format, string driver, long atMost)
    {
        StoredImage image = await _test.SealRealAsync("a");
        string path = _test.Below("disk." + driver);
        ImageExport made = await _test.Store.ExportAsync(image, path, new ExportOptions { Format = format }, null, Token);
        Assert.Equal(new ImageExport(path, new FileInfo(path).Length, null, []) with { Beside = made.Beside }, made);
        Assert.Empty(made.Beside);
        Assert.InRange(DiskFile.AllocatedBytes(path), 1, atMost);
        Assert.Equal(TestStore.Content, await AsRawAsync(driver, path));
    }

    [Theory]
    [InlineData(DiskFormat.RawZst, "zstd")]
    [InlineData(DiskFormat.RawXz, "xz")]
    public async Task A_compressed_raw_disk_unpacks_to_the_disks_bytes(DiskFormat format, string program)
    {
        StoredImage image = await _test.SealRealAsync("a");
        string path = _test.Below("disk.raw.packed");
        var told = new List<double>();
        await _test.Store.ExportAsync(image, path, new ExportOptions { Format = format }, new Told(told), Token);
        Assert.InRange(new FileInfo(path).Length, 1, 64 << 10);
        Assert.Equal(1, told[^1]);
        string raw = _test.Below("again.raw");
        await Tool.RunAsync("/bin/sh", ["-c", $"{program} -d -c <'{path}' >'{raw}'"], Token);
        Assert.Equal(TestStore.Content, await File.ReadAllBytesAsync(raw, Token));
    }

    [Theory]
    [InlineData(DiskFormat.Qcow2, "qcow2")]
    [InlineData(DiskFormat.Raw, "raw")]
    [InlineData(DiskFormat.Vmdk, "vmdk")]
    public async Task A_larger_disk_holds_the_disks_bytes_and_nothing_after_them(DiskFormat format, string driver)
    {
        StoredImage image = await _test.SealRealAsync("a");
        string path = _test.Below("larger." + driver);
        await _test.Store.ExportAsync(image, path, new ExportOptions { Format = format, DiskBytes = TestStore.Content.Length + (3 << 20) }, null, Token);
        byte[] raw = await AsRawAsync(driver, path);
        Assert.Equal(TestStore.Content.Length + (3 << 20), raw.Length);
        Assert.Equal(TestStore.Content, raw[..TestStore.Content.Length]);
        Assert.DoesNotContain(raw[TestStore.Content.Length..], value => value != 0);
        Assert.Equal([Path.GetFileName(path)], Directory.GetFiles(Path.GetDirectoryName(path)!, "larger.*").Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_larger_disk_can_be_compressed_or_part_of_a_machine()
    {
        StoredImage image = await _test.SealRealAsync("a");
        long size = TestStore.Content.Length + (3 << 20);
        string packed = _test.Below("larger.raw.zst");
        await _test.Store.ExportAsync(image, packed, new ExportOptions { Format = DiskFormat.RawZst, DiskBytes = size }, null, Token);
        string raw = _test.Below("larger.raw");
        await Tool.RunAsync("/bin/sh", ["-c", $"zstd -q -d -c <'{packed}' >'{raw}'"], Token);
        byte[] unpacked = await File.ReadAllBytesAsync(raw, Token);
        Assert.Equal(size, unpacked.Length);
        Assert.Equal(TestStore.Content, unpacked[..TestStore.Content.Length]);

        string machine = _test.Below("larger.ova");
        await _test.Store.ExportAsync(image, machine, new ExportOptions { Format = DiskFormat.Ova, DiskBytes = size }, null, Token);
        Assert.Contains(FormattableString.Invariant($"capacity=\"{size}\""), Encoding.Latin1.GetString(await File.ReadAllBytesAsync(machine, Token)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_is_never_cut_off()
    {
        StoredImage image = await _test.SealRealAsync("a");
        string path = _test.Below("small.qcow2");
        VirtigoException wrong = await Assert.ThrowsAsync<VirtigoException>(
            () => _test.Store.ExportAsync(image, path, new ExportOptions { DiskBytes = 1 << 20 }, null, Token));
        Assert.Equal(FailureKind.Usage, wrong.Kind);
        Assert.Contains("A disk of 1 MiB is too small: that of the image web has 8 MiB.", wrong.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
        await Assert.ThrowsAsync<VirtigoException>(() => ImageStore.CreateOverlayAsync(image, 1 << 20, path, Token));
    }

    [Fact]
    public async Task A_vmdk_is_of_the_kind_that_hypervisors_import()
    {
        StoredImage image = await _test.SealRealAsync("a");
        string path = _test.Below("disk.vmdk");
        await _test.Store.ExportAsync(image, path, new ExportOptions { Format = DiskFormat.Vmdk }, null, Token);
        string start = Encoding.Latin1.GetString((await File.ReadAllBytesAsync(path, Token)).AsSpan(0, 2048));
        Assert.StartsWith("KDMV\u0003", start);
        Assert.Contains("createType=\"streamOptimized\"", start);
        Assert.Contains("ddb.adapterType = \"lsilogic\"", start);
    }

    [Fact]
    public async Task An_ova_has_description_hashes_and_disk_in_this_order_and_they_agree()
    {
        StoredImage image = await _test.SealRealAsync("a");
        string path = _test.Below("web.ova");
        await _test.Store.ExportAsync(image, path, new ExportOptions { Format = DiskFormat.Ova }, null, Token);
        var files = new List<(string Name, byte[] Content)>();
        await using (FileStream file = File.OpenRead(path))
        await using (TarReader tar = new(file))
        {
            while (await tar.GetNextEntryAsync(copyData: true, Token) is { } entry)
            {
                Assert.Equal(TarEntryFormat.Ustar, entry.Format);
                using var content = new MemoryStream();
                await entry.DataStream!.CopyToAsync(content, Token);
                files.Add((entry.Name, content.ToArray()));
            }
        }

        Assert.Equal(["web.ovf", "web.mf", "web-disk1.vmdk"], files.Select(one => one.Name));
        Assert.Equal($"SHA1(web.ovf)= {Sha1(files[0].Content)}\nSHA1(web-disk1.vmdk)= {Sha1(files[2].Content)}\n", Encoding.ASCII.GetString(files[1].Content));
        string disk = _test.Below("unpacked.vmdk");
        await File.WriteAllBytesAsync(disk, files[2].Content, Token);
        Assert.Equal(TestStore.Content, await AsRawAsync("vmdk", disk));

        XElement envelope = XDocument.Parse(Encoding.UTF8.GetString(files[0].Content)).Root!;
        Assert.Equal(files[2].Content.Length.ToString(CultureInfo.InvariantCulture),
            envelope.Element(s_ovf + "References")!.Element(s_ovf + "File")!.Attribute(s_ovf + "size")!.Value);
        Assert.Equal((8 << 20).ToString(CultureInfo.InvariantCulture), envelope.Descendants(s_ovf + "Disk").Single().Attribute(s_ovf + "capacity")!.Value);
        Assert.Equal(["web.ova"], Directory.GetFiles(Path.GetDirectoryName(path)!).Select(Path.GetFileName).Where(name => name!.StartsWith("web", StringComparison.Ordinal)));
    }

    [Fact]
    public void An_ovf_description_is_what_it_was()
    {
        var shape = new MachineShape("web", "debian", "trixie", "amd64", 2, 1536, 8L << 30, Uefi: true);
        Golden.Same("web.ovf", OvfDescriptor.Write(shape, "web-disk1.vmdk", 123456), "Images");
    }

    /// <summary>The rules of DSP0243 1.0.0 that a reader checks: references that resolve, units, the alphabet's order within an item.</summary>
    [Fact]
    public void An_ovf_description_keeps_the_rules_of_its_specification()
    {
        var shape = new MachineShape("a<b&\"c", "debian", "trixie", "amd64", 2, 1536, 8L << 30, Uefi: false);
        XElement envelope = XDocument.Parse(OvfDescriptor.Write(shape, "d&.vmdk", 1)).Root!;
        string Attribute(XElement element, string name) => element.Attribute(s_ovf + name)!.Value;
        Assert.Equal(["References", "DiskSection", "NetworkSection", "VirtualSystem"], envelope.Elements().Select(one => one.Name.LocalName));
        Assert.All(envelope.Descendants().Where(one => one.Name.LocalName.EndsWith("Section", StringComparison.Ordinal)),
            section => Assert.Equal("Info", section.Elements().First().Name.LocalName));
        XElement disk = envelope.Descendants(s_ovf + "Disk").Single();
        Assert.Equal(Attribute(envelope.Descendants(s_ovf + "File").Single(), "id"), Attribute(disk, "fileRef"));
        XElement[] items = [.. envelope.Descendants(s_ovf + "Item")];
        Assert.All(items, item =>
        {
            string[] names = [.. item.Elements().Select(one => one.Name.LocalName)];
            Assert.Equal(names.Order(StringComparer.Ordinal), names);
            Assert.All(item.Elements(), one => Assert.Equal(s_rasd, one.Name.Namespace));
            Assert.Contains("ElementName", names);
            Assert.Contains("ResourceType", names);
        });
        string[] ids = [.. items.Select(item => item.Element(s_rasd + "InstanceID")!.Value)];
        Assert.Equal(ids.Distinct(), ids);
        Assert.All(items.Select(item => item.Element(s_rasd + "Parent")?.Value).OfType<string>(), parent => Assert.Contains(parent, ids));
        XElement Kind(string type) => items.Single(item => item.Element(s_rasd + "ResourceType")!.Value == type);
        Assert.Equal("2", Kind("3").Element(s_rasd + "VirtualQuantity")!.Value);
        Assert.Equal("1536", Kind("4").Element(s_rasd + "VirtualQuantity")!.Value);
        Assert.Equal("byte * 2^20", Kind("4").Element(s_rasd + "AllocationUnits")!.Value);
        Assert.Equal("ovf:/disk/" + Attribute(disk, "diskId"), Kind("17").Element(s_rasd + "HostResource")!.Value);
        Assert.Equal(Attribute(envelope.Descendants(s_ovf + "Network").Single(), "name"), Kind("10").Element(s_rasd + "Connection")!.Value);
    }

    [Theory]
    [InlineData("1 GiB", 1024)]
    [InlineData("1536 MiB", 1536)]
    [InlineData("2 TiB", 2097152)]
    [InlineData("1024", null)]
    [InlineData("-1 GiB", null)]
    [InlineData("9999999 TiB", null)]
    [InlineData(null, null)]
    public void Memory_is_read_as_plans_show_it(string? text, int? expected) => Assert.Equal(expected, MachineShape.MiB(text));

    [Theory]
    [InlineData("web.vmdk", DiskFormat.Vmdk)]
    [InlineData("web.raw.xz", DiskFormat.RawXz)]
    [InlineData("web.zst", DiskFormat.RawZst)]
    [InlineData("/a.ova/web.OVA", DiskFormat.Ova)]
    [InlineData("web.img", DiskFormat.Raw)]
    [InlineData("web.iso", null)]
    [InlineData("web", null)]
    public void A_files_ending_means_a_format(string path, DiskFormat? expected) => Assert.Equal(expected, DiskFormats.ForFile(path));

    [Fact]
    public void Every_format_has_one_name() =>
        Assert.Equal(Enum.GetValues<DiskFormat>(), Enum.GetValues<DiskFormat>().Select(format => DiskFormats.Named(DiskFormats.NameOf(format))!.Value));

    [Fact]
    public async Task Sums_are_what_sha256sum_checks_and_keep_the_lines_of_other_files()
    {
        StoredImage image = await _test.SealRealAsync("a");
        string folder = Directory.CreateDirectory(_test.Below("out")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "other"), "other", Token);
        await Tool.RunAsync("/bin/sh", ["-c", $"cd '{folder}' && sha256sum other > SHA256SUMS"], Token);
        foreach (DiskFormat format in (DiskFormat[])[DiskFormat.Raw, DiskFormat.Qcow2, DiskFormat.Raw])
        {
            string path = Path.Combine(folder, format == DiskFormat.Raw ? "web disk\\.raw" : "web.qcow2");
            ImageExport made = await _test.Store.ExportAsync(image, path, new ExportOptions { Format = format, Sums = true, Force = true }, null, Token);
            Assert.Equal([Path.Combine(folder, "SHA256SUMS")], made.Beside);
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(path, Token))), made.Sha256);
        }

        string said = await Tool.RunAsync("/bin/sh", ["-c", $"cd '{folder}' && sha256sum -c SHA256SUMS"], Token);
        Assert.Equal(3, said.Split('\n').Count(line => line.EndsWith(": OK", StringComparison.Ordinal)));
        Assert.Equal(4, Directory.GetFileSystemEntries(folder).Length);
    }

    [Fact]
    public async Task A_signature_by_the_users_tool_verifies()
    {
        StoredImage image = await _test.SealRealAsync("a");
        string folder = Directory.CreateDirectory(_test.Below("out")).FullName;
        string home = Directory.CreateDirectory(_test.Below("g")).FullName;
        File.SetUnixFileMode(home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string gpg = $"gpg --batch --homedir '{home}'";
        await Tool.RunAsync("/bin/sh", ["-c", $"{gpg} --pinentry-mode loopback --passphrase '' --quick-generate-key me@example.org ed25519 sign never"], Token);
        try
        {
            var options = new ExportOptions { SignCommand = gpg + " --detach-sign --armor" };
            ImageExport made = await _test.Store.ExportAsync(image, Path.Combine(folder, "web.qcow2"), options, null, Token);
            Assert.Equal(["SHA256SUMS", "SHA256SUMS.asc"], made.Beside.Select(Path.GetFileName));
            await Tool.RunAsync("/bin/sh", ["-c", $"cd '{folder}' && sha256sum -c SHA256SUMS && {gpg} --verify SHA256SUMS.asc SHA256SUMS"], Token);
        }
        finally
        {
            await Tool.RunAsync("/bin/sh", ["-c", $"gpgconf --homedir '{home}' --kill all"], CancellationToken.None);
        }
    }

    [Theory]
    [InlineData("echo no key >&2; exit 7;", "ended with 7", "no key")]
    [InlineData("true", "made no file", "true SHA256SUMS")]
    [InlineData("/no-such-folder/no-such-tool", "ended with 127", "no-such-tool: not found")]
    public async Task A_signing_tool_that_fails_leaves_everything_as_it_was(string command, string said, string why)
    {
        StoredImage image = await _test.SealRealAsync("a");
        string folder = Directory.CreateDirectory(_test.Below("out")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "SHA256SUMS"), "mine\n", Token);
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => _test.Store.ExportAsync(
            image, Path.Combine(folder, "web.qcow2"), new ExportOptions { SignCommand = command }, null, Token));
        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains(said, error.Message, StringComparison.Ordinal);
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
        Assert.Equal([Path.Combine(folder, "SHA256SUMS")], Directory.GetFileSystemEntries(folder));
        Assert.Equal("mine\n", await File.ReadAllTextAsync(Path.Combine(folder, "SHA256SUMS"), Token));
    }

    [Theory]
    [InlineData(DiskFormat.RawZst)]
    [InlineData(DiskFormat.RawXz)]
    [InlineData(DiskFormat.Ova)]
    public async Task What_cannot_be_exported_leaves_no_file(DiskFormat format)
    {
        StoredImage image = await _test.SealAsync("a");
        string folder = Directory.CreateDirectory(_test.Below("out")).FullName;
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(
            () => _test.Store.ExportAsync(image, Path.Combine(folder, "web"), new ExportOptions { Format = format }, null, Token));
        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Empty(Directory.GetFileSystemEntries(folder));
    }

    [Theory]
    [InlineData(DiskFormat.RawZst, "always compressed")]
    [InlineData(DiskFormat.Vdi, "cannot be compressed")]
    public async Task Compression_is_asked_for_only_where_there_is_a_choice(DiskFormat format, string said)
    {
        StoredImage image = await _test.SealAsync("a");
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(
            () => _test.Store.ExportAsync(image, _test.Below("web"), new ExportOptions { Format = format, Compress = true }, null, Token));
        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.Contains(said, error.Message, StringComparison.Ordinal);
    }

    private async Task<byte[]> AsRawAsync(string driver, string path)
    {
        string raw = _test.Below("again.raw");
        await QemuImage.RunAsync(["convert", "-f", driver, "-O", "raw", path, raw], "no disk.", null, Token);
        return await File.ReadAllBytesAsync(raw, Token);
    }

    private static string Sha1(byte[] content)
    {
        using Process process = Process.Start(new ProcessStartInfo("sha1sum") { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        process.StandardInput.BaseStream.Write(content);
        process.StandardInput.Close();
        return process.StandardOutput.ReadToEnd().Split(' ')[0];
    }

    private sealed class Told(List<double> all) : IProgress<double>
    {
        public void Report(double value) => all.Add(value);
    }
}
