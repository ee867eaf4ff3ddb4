using Virtigo.Host;
using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class ImageDiskTests : IDisposable
{
    private readonly TestStore _test = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task A_sealed_disk_has_its_sizes_and_hash_in_the_manifest()
    {
        StoredImage image = await _test.SealRealAsync("a");
        ImageDisk disk = image.Manifest.Disk;
        Assert.Equal(8 << 20, disk.VirtualBytes);
        Assert.Equal(new FileInfo(image.DiskPath).Length, disk.FileBytes);
        Assert.InRange(disk.AllocatedBytes, 1 << 20, 2 << 20);
        Assert.True((await _test.Store.VerifyAsync(image, cancellationToken: Token)).IsIntact);
    }

    [Fact]
    public async Task One_changed_byte_of_a_disk_is_noticed()
    {
        StoredImage image = await _test.SealRealAsync("a");
        File.SetUnixFileMode(image.DiskPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using (FileStream disk = File.OpenWrite(image.DiskPath))
        {
            disk.Position = disk.Length - 1;
            disk.WriteByte(99);
        }

        ImageVerification result = await _test.Store.VerifyAsync(image, cancellationToken: Token);
        Assert.False(result.IsIntact);
        Assert.Equal(image.Manifest.Disk.Sha256, result.Expected);
    }

    [Fact]
    public async Task A_raw_export_holds_the_disks_bytes_and_its_holes()
    {
        StoredImage image = await _test.SealRealAsync("a");
        string path = _test.Below("disk.raw");
        var told = new Told();
        await _test.Store.ExportAsync(image, path, new ExportOptions { Format = DiskFormat.Raw }, told, Token);
        Assert.Equal(TestStore.Content, await File.ReadAllBytesAsync(path, Token));
        Assert.InRange(DiskFile.AllocatedBytes(path), 1 << 20, 2 << 20);
        Assert.Equal(1, told.Last);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_qcow2_export_holds_the_disks_bytes(bool compress)
    {
        StoredImage image = await _test.SealRealAsync("a");
        string path = _test.Below("disk.qcow2");
        await _test.Store.ExportAsync(image, path, new ExportOptions { Compress = compress }, null, Token);
        Assert.Equal(compress, new FileInfo(path).Length < 1 << 20);
        string raw = _test.Below("again.raw");
        await QemuImage.RunAsync(["convert", "-f", "qcow2", "-O", "raw", path, raw], "no disk.", null, Token);
        Assert.Equal(TestStore.Content, await File.ReadAllBytesAsync(raw, Token));
        Assert.NotEqual(UnixFileMode.UserRead, File.GetUnixFileMode(path));
    }

    [Fact]
    public async Task An_export_replaces_a_file_only_when_told_to()
    {
        StoredImage image = await _test.SealRealAsync("a");
        string path = _test.Below("disk.raw");
        await File.WriteAllTextAsync(path, "mine", Token);
        var options = new ExportOptions { Format = DiskFormat.Raw };
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => _test.Store.ExportAsync(image, path, options, null, Token));
        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.Equal("mine", await File.ReadAllTextAsync(path, Token));
        await _test.Store.ExportAsync(image, path, options with { Force = true }, null, Token);
        Assert.Equal(8 << 20, new FileInfo(path).Length);
    }

    [Theory]
    [InlineData("no/such/folder/disk.raw", false, "does not exist")]
    [InlineData("data", false, "is a folder")]
    [InlineData("disk.raw", true, "cannot be compressed")]
    public async Task An_export_that_cannot_work_is_refused_before_it_begins(string name, bool compress, string said)
    {
        StoredImage image = await _test.SealAsync("a");
        var options = new ExportOptions { Format = DiskFormat.Raw, Compress = compress };
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(
            () => _test.Store.ExportAsync(image, _test.Below(name), options, null, Token));
        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.Contains(said, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_export_leaves_no_file_and_says_what_qemu_img_said()
    {
        StoredImage image = await _test.SealAsync("a");
        Directory.CreateDirectory(_test.Below("out"));
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(
            () => _test.Store.ExportAsync(image, _test.Below("out/disk.raw"), null, null, Token));
        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains("qemu-img said: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("qemu-img convert", error.Hint, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_test.Below("out")));
    }

    [Fact]
    public async Task A_cancelled_export_leaves_no_file()
    {
        StoredImage image = await _test.SealRealAsync("a");
        Directory.CreateDirectory(_test.Below("out"));
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var told = new Told { Then = cancel.Cancel };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _test.Store.ExportAsync(image, _test.Below("out/disk.raw"), null, told, cancel.Token));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_test.Below("out")));
    }

    [Fact]
    public async Task An_overlay_begins_as_the_image_and_leaves_it_as_it_was()
    {
        StoredImage image = await _test.SealRealAsync("a");
        string overlay = _test.Below("over, lay:1.qcow2");
        await ImageStore.CreateOverlayAsync(image, overlay, Token);
        string raw = _test.Below("overlay.raw");
        await QemuImage.RunAsync(["convert", "-f", "qcow2", "-O", "raw", overlay, raw], "no disk.", null, Token);
        Assert.Equal(TestStore.Content, await File.ReadAllBytesAsync(raw, Token));
        Assert.False(Qcow2Header.Read(overlay).IsSelfContained);
        Assert.InRange(DiskFile.AllocatedBytes(overlay), 1, 1 << 20);
        Assert.True((await _test.Store.VerifyAsync(image, cancellationToken: Token)).IsIntact);
    }

    [Fact]
    public void Progress_is_read_from_pieces_of_any_length()
    {
        var told = new Told();
        var reader = new ConvertProgress(told);
        foreach (char c in "    (0.00/100%)\r    (12.50/100%)\r (nonsense/100%) (99999999999999999999999999/100%)")
        {
            reader.Read(c.ToString());
        }

        Assert.Equal([0, 0.125, 1], told.All);
    }

    private sealed class Told : IProgress<double>
    {
        public List<double> All { get; } = [];

        public double Last => All[^1];

        public Action? Then { get; init; }

        public void Report(double value)
        {
            All.Add(value);
            Then?.Invoke();
        }
    }
}
