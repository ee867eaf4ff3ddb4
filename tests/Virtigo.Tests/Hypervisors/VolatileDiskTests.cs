using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

/// <summary>A disk behind a volatile cache, used by QEMU's own tools.</summary>
public sealed class VolatileDiskTests : IDisposable
{
    private const long Size = 64L << 20;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vd");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Image => Path.Combine(_folder.FullName, "disk.qcow2");

    private string Socket => Path.Combine(_folder.FullName, "cache.sock");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_power_cut_loses_what_was_not_flushed_and_nothing_else_loses_anything(bool powerCut)
    {
        await using VolatileDisk disk = await OpenAsync(new DiskFault(DiskFaultKind.LostWrites));

        await UseAsync("write -P 1 0 1M", "write -P 2 2M 64k", "flush", "write -P 9 512k 64k", "write -z 2M 4k", "discard 0 64k", "write -P 3 10M 3M",
            "read -P 9 512k 64k", "read -P 0 2M 4k", "read -P 3 10M 3M", "read -P 1 128k 64k");
        await disk.DrainAsync();
        await disk.CloseAsync(powerCut);

        await (powerCut
            ? CheckAsync("read -P 1 0 1M", "read -P 2 2M 64k", "read -P 0 10M 3M")
            : CheckAsync("read -P 0 0 64k", "read -P 1 64k 448k", "read -P 9 512k 64k", "read -P 0 2M 4k", "read -P 3 10M 3M"));
        Assert.Empty(_folder.EnumerateFiles("*.sock"));
    }

    [Fact]
    public async Task A_drawn_loss_keeps_what_was_flushed_and_is_the_same_for_the_same_seed()
    {
        var left = new HashSet<string>();
        foreach (ulong seed in (ulong[])[3, 3, 4, 5, 6])
        {
            await using VolatileDisk disk = await OpenAsync(new DiskFault(DiskFaultKind.LostWrites) { Loss = DiskLoss.Some, Seed = seed });
            await UseAsync(["write -P 1 0 1M", "flush", .. Enumerable.Range(4, 30).Select(each => $"write -P {each} {each}M 32k")]);
            await disk.DrainAsync();
            await disk.CloseAsync(powerCut: true);
            await CheckAsync("read -P 1 0 1M");
            left.Add($"{seed}: {await DiskHash.ComputeAsync(await RawAsync(), null, Token)}");
            File.Delete(Image);
        }

        Assert.Equal(4, left.Count);
        Assert.True(left.Select(each => each.Split(' ')[1]).Distinct().Count() > 1);
    }

    [Fact]
    public async Task A_file_that_is_no_disk_is_told_with_the_command_and_leaves_nothing()
    {
        await File.WriteAllTextAsync(Image, "no disk", Token);
        await using VolatileDisk disk = Listen(new DiskFault(DiskFaultKind.LostWrites));

        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => disk.OpenAsync(Token));

        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains("not in qcow2 format", error.Message, StringComparison.Ordinal);
        Assert.StartsWith("Rerun: qemu-nbd ", error.Hint, StringComparison.Ordinal);
        await disk.DisposeAsync();
        Assert.Empty(_folder.EnumerateFiles("*.sock"));
    }

    private async Task<string> RawAsync()
    {
        string raw = Image + ".raw";
        await QemuImage.RunAsync(["convert", "-O", "raw", Image, raw], "not converted", null, Token);
        return raw;
    }

    private VolatileDisk Listen(DiskFault fault) =>
        VolatileDisk.Listen(new GuestDisk(Image, Virtigo.Hypervisors.DiskFormat.Qcow2) { Unsafe = true }, Size, fault, Socket, Path.Combine(_folder.FullName, "store.sock"));

    private async Task<VolatileDisk> OpenAsync(DiskFault fault)
    {
        await QemuImage.CreateAsync(Image, Size, Token);
        VolatileDisk disk = Listen(fault);
        await disk.OpenAsync(Token);
        return disk;
    }

    /// <summary>Uses the disk, and ends without a goodbye, which would flush.</summary>
    private async Task UseAsync(params IEnumerable<string> commands)
    {
        string[] arguments = ["-t", "writeback", "-f", "raw", .. commands.Concat(["sigraise 9"]).SelectMany(command => new[] { "-c", command }), $"nbd+unix:///?socket={Socket}"];
        await using ChildProcess child = await ChildProcess.StartAsync(new ChildCommand("qemu-io", arguments), Token);
        int code = await child.Exited;
        Assert.True(code == 128 + 9 && !child.ErrorTail.Contains("failed", StringComparison.OrdinalIgnoreCase), child.ErrorTail);
    }

    private async Task CheckAsync(params IEnumerable<string> commands)
    {
        string said = await Tool.RunAsync("qemu-io", ["-r", "-f", "qcow2", .. commands.SelectMany(command => new[] { "-c", command }), Image], Token);
        Assert.DoesNotContain("failed", said, StringComparison.OrdinalIgnoreCase);
        await QemuImage.RunAsync(["check", "-q", Image], "The image is broken.", null, Token);
    }
}
