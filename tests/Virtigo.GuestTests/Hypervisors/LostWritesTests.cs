using System.Diagnostics;
using System.Text.Json;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>
/// A disk that loses writes, in a real QEMU. There is no system in the guest: QEMU's monitor reads and writes through the disk's device as one would.
/// </summary>
public sealed class LostWritesTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vl");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Image => Path.Combine(_folder.FullName, "disk.qcow2");

    private string Work => Path.Combine(_folder.FullName, "guest");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_power_cut_leaves_the_last_flush_and_the_disk_starts_again()
    {
        await using QemuGuest guest = await StartAsync();
        await IoAsync(guest, "write -P 1 0 1M", "flush");
        await TimedAsync("setting the fault", () => guest.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.LostWrites), Token));
        await IoAsync(guest, "write -P 2 1M 1M", "flush", "write -P 3 0 64k", "write -P 4 30M 5M", "discard 1M 64k",
            "read -P 3 0 64k", "read -P 1 64k 64k", "read -P 4 30M 5M", "read -P 0 1M 64k");

        await TimedAsync("the power cut", () => guest.KillAsync(Token));

        Assert.Equal(GuestExitReason.Killed, (await guest.Exited).Reason);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Work));
        await using QemuGuest again = await StartAsync(create: false);
        await IoAsync(again, "read -P 1 0 1M", "read -P 2 1M 1M", "read -P 0 30M 5M");
    }

    [Fact]
    public async Task A_drawn_loss_keeps_what_was_flushed()
    {
        await using QemuGuest guest = await StartAsync();
        await guest.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.LostWrites) { Loss = DiskLoss.Some, Seed = 4 }, Token);
        await IoAsync(guest, ["write -P 1 0 1M", "flush", .. Enumerable.Range(2, 40).Select(each => $"write -P 7 {each}M 4k")]);

        await guest.KillAsync(Token);

        await CheckAsync("read -P 1 0 1M");
        string map = await Tool.RunAsync("qemu-io", ["-r", "-f", "qcow2", .. Enumerable.Range(2, 40).SelectMany(each => new[] { "-c", $"read -v {each}M 1" }), Image], Token);
        Assert.InRange(map.Split('\n').Count(line => line.Contains(":  07", StringComparison.Ordinal)), 1, 39);
    }

    [Fact]
    public async Task Ending_the_fault_loses_nothing_and_it_can_come_back_and_be_followed_by_another()
    {
        await using QemuGuest guest = await StartAsync();
        var lost = new DiskFault(DiskFaultKind.LostWrites);
        await guest.SetDiskFaultAsync(0, lost, Token);
        await IoAsync(guest, "write -P 1 0 1M");
        await TimedAsync("ending the fault", () => guest.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.None), Token));
        await IoAsync(guest, "read -P 1 0 1M", "write -P 2 1M 1M");
        await guest.SetDiskFaultAsync(0, lost, Token);
        await guest.SetDiskFaultAsync(0, lost with { Loss = DiskLoss.Some }, Token);
        await IoAsync(guest, "read -P 2 1M 1M", "write -P 3 2M 1M");
        await guest.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.Full), Token);
        await IoAsync(guest, "read -P 3 2M 1M");
        await guest.SetDiskFaultAsync(0, lost, Token);
        await IoAsync(guest, "write -P 4 0 1M");

        await guest.KillAsync(Token);

        await CheckAsync("read -P 1 0 1M", "read -P 2 1M 1M", "read -P 3 2M 1M");
    }

    [Fact]
    public async Task A_pause_a_saved_state_and_a_clean_end_keep_everything()
    {
        string state = Path.Combine(_folder.FullName, "state");
        string copy = Path.Combine(_folder.FullName, "copy.qcow2");
        await using QemuGuest guest = await StartAsync();
        await guest.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.LostWrites), Token);
        await guest.ResumeAsync(Token);
        await IoAsync(guest, "write -P 1 0 1M");
        await guest.PauseAsync(Token);
        await guest.SaveStateAsync(state, Token);
        File.Copy(Image, copy);
        await guest.ResumeAsync(Token);
        await IoAsync(guest, "read -P 1 0 1M", "write -P 2 1M 1M");

        await guest.Qmp.ExecuteAsync("quit", null, Token);
        await guest.Exited.WaitAsync(TimeSpan.FromSeconds(60), Token);

        await CheckAsync("read -P 1 0 1M", "read -P 2 1M 1M");
        File.Move(copy, Image, overwrite: true);
        await CheckAsync("read -P 1 0 1M", "read -P 0 1M 1M");
        await using QemuGuest fork = await StartAsync(create: false, config => config with { SavedState = state });
        await IoAsync(fork, "read -P 1 0 1M");
    }

    [Fact]
    public async Task A_guest_that_runs_runs_on_one_that_stands_still_stays_so_and_a_disk_that_cannot_be_written_is_refused()
    {
        await using QemuGuest guest = await StartAsync();
        foreach (bool running in (bool[])[false, true])
        {
            await (running ? guest.ResumeAsync(Token) : Task.CompletedTask);
            await guest.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.LostWrites), Token);
            Assert.Equal(running, (await guest.Qmp.ExecuteAsync("query-status", null, Token)).GetProperty("running").GetBoolean());
            await guest.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.None), Token);
            Assert.Equal(running, (await guest.Qmp.ExecuteAsync("query-status", null, Token)).GetProperty("running").GetBoolean());
        }

        await guest.KillAsync(Token);

        await using QemuGuest reader = await StartAsync(create: false, config => config with { Disks = [config.Disks[0] with { ReadOnly = true }] });
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(
            () => reader.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.LostWrites), Token));
        Assert.Equal(FailureKind.Usage, error.Kind);
    }

    [Fact]
    public async Task A_cache_that_cannot_be_opened_leaves_the_disk_as_it_was()
    {
        await using QemuGuest guest = await StartAsync();
        await guest.ResumeAsync(Token);
        await IoAsync(guest, "write -P 1 0 1M");
        string moved = Image + ".moved";
        File.Move(Image, moved);
        await File.WriteAllTextAsync(Image, "no disk", Token);
        await Assert.ThrowsAsync<VirtigoException>(() => guest.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.LostWrites), Token));
        File.Move(moved, Image, overwrite: true);

        Assert.True((await guest.Qmp.ExecuteAsync("query-status", null, Token)).GetProperty("running").GetBoolean());
        Assert.Single(Directory.EnumerateDirectories(_folder.FullName));
        await guest.KillAsync(Token);
        await CheckAsync("read -P 1 0 1M");
    }

    private static async Task TimedAsync(string what, Func<Task> action)
    {
        long start = Stopwatch.GetTimestamp();
        await action();
        TestContext.Current.TestOutputHelper!.WriteLine($"{what}: {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0} ms");
    }

    /// <summary>Does what a driver in the guest would do to the disk.</summary>
    private static async Task IoAsync(QemuGuest guest, params IEnumerable<string> commands)
    {
        foreach (string command in commands)
        {
            JsonElement answer = await guest.Qmp.ExecuteAsync("human-monitor-command",
                writer => writer.WriteString("command-line", $"qemu-io disk0 \"{command}\""), Token);
            Assert.True(answer.GetString()!.Length == 0, $"{command}: {answer}");
        }

        Assert.False(guest.Exited.IsCompleted);
    }

    private async Task CheckAsync(params IEnumerable<string> commands)
    {
        string said = await Tool.RunAsync("qemu-io", ["-r", "-f", "qcow2", .. commands.SelectMany(command => new[] { "-c", command }), Image], Token);
        Assert.DoesNotContain("failed", said, StringComparison.OrdinalIgnoreCase);
        await QemuImage.RunAsync(["check", "-q", Image], "The image is broken.", null, Token);
    }

    // It does not run unless a test says so: the firmware's driver knows no flushes, and QEMU then flushes after each write.
    private async Task<QemuGuest> StartAsync(bool create = true, Func<GuestConfig, GuestConfig>? change = null)
    {
        if (create)
        {
            await QemuImage.CreateAsync(Image, 64L << 20, Token);
        }

        var config = new GuestConfig
        {
            Name = "lost",
            WorkDirectory = Work,
            MemoryMiB = 32,
            Accelerator = Accelerator.Tcg,
            StartPaused = true,
            Disks = [new GuestDisk(Image, Virtigo.Hypervisors.DiskFormat.Qcow2) { Unsafe = true }],
        };
        string at = _folder.FullName;
        return (QemuGuest)await new QemuHypervisor(new HostPaths(at, at, at, at, at)).StartAsync(change?.Invoke(config) ?? config, Token);
    }
}
