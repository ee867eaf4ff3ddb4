using System.Text;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

[Collection(KernelGuests.Name)]
public sealed class QemuGuestTests(KernelFixture fixture)
{
    private static readonly TimeSpan Boot = TimeSpan.FromSeconds(120);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_panic_is_seen_its_words_are_told_and_nothing_is_left()
    {
        string log = fixture.At("panic.log");
        GuestConfig config = Config("panic") with { Serials = [new GuestSerial("console") { LogFile = log }], AgentChannel = true };
        await using (IGuest guest = await StartAsync(config))
        {
            GuestExit exit = await guest.Exited.WaitAsync(Boot, Token);

            Assert.Equal(GuestExitReason.GuestPanicked, exit.Reason);
            Assert.Contains("VFS", exit.Detail, StringComparison.Ordinal);
            Assert.StartsWith(QemuCommandLine.Program, exit.Command, StringComparison.Ordinal);
        }

        Assert.Contains("Linux version", await File.ReadAllTextAsync(log, Token), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(config.WorkDirectory));
    }

    [Fact]
    public async Task A_console_that_says_more_than_its_log_may_hold_stays_within_bounds()
    {
        string log = fixture.At("flood.log");
        GuestConfig config = Config("flood") with { Serials = [new GuestSerial("console") { LogFile = log, LogLimit = 1000 }] };
        await using IGuest guest = await StartAsync(config);
        await guest.Exited.WaitAsync(Boot, Token);

        Assert.InRange(new FileInfo(log).Length, 1000, 1000 + SerialPort.MemoryLimit + 100);
    }

    [Fact]
    public async Task A_stream_reads_the_console_from_the_first_byte()
    {
        await using IGuest guest = await StartAsync(Config("stream"));
        await using Stream console = guest.OpenSerial("console");
        using var reader = new StreamReader(console, Encoding.UTF8);
        string all = await reader.ReadToEndAsync(Token).WaitAsync(Boot, Token);

        Assert.Contains("Linux version", all, StringComparison.Ordinal);
        Assert.Contains("Kernel panic", all, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_killed_guest_is_gone_when_the_kill_returns()
    {
        await using IGuest guest = await StartAsync(Config("killed"));
        await guest.KillAsync(Token);

        Assert.Equal(GuestExitReason.Killed, (await guest.Exited).Reason);
        Assert.False(Directory.Exists($"/proc/{guest.ProcessId}"));
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => guest.PowerButtonAsync(Token));
        Assert.Equal(FailureKind.Guest, error.Kind);
    }

    [Fact]
    public async Task A_hypervisor_killed_by_someone_else_is_told_apart()
    {
        await using IGuest guest = await StartAsync(Config("murdered"));
        await Tool.RunAsync("sh", ["-c", $"kill -SEGV {guest.ProcessId}"], Token);
        GuestExit exit = await guest.Exited.WaitAsync(Boot, Token);

        Assert.Equal(GuestExitReason.HypervisorDied, exit.Reason);
        Assert.Contains("signal 11", exit.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_QEMU_that_does_not_start_shows_its_words_and_the_command_to_rerun()
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => StartAsync(Config("wrong") with { CpuModel = "no-such-cpu" }));

        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains("no-such-cpu", error.Message, StringComparison.Ordinal);
        Assert.StartsWith("Rerun: qemu-system-x86_64 ", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Killing_Virtigo_outright_leaves_no_guest()
    {
        (System.Diagnostics.Process parent, int guest, int keeper) = await GuestOwner.StartAsync(Token);
        Assert.Contains("qemu-system", await File.ReadAllTextAsync($"/proc/{guest}/cmdline", Token), StringComparison.Ordinal);

        parent.Kill();

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        foreach (int each in (int[])[guest, keeper])
        {
            while (File.Exists($"/proc/{each}/cmdline") && (await File.ReadAllTextAsync($"/proc/{each}/cmdline", Token)).Length > 0)
            {
                await Task.Delay(20, limit.Token);
            }
        }
    }

    private GuestConfig Config(string name) => new()
    {
        Name = name,
        WorkDirectory = fixture.At(name),
        MemoryMiB = 256,
        Kernel = new KernelBoot(fixture.Kernel, null, "console=ttyS0 panic=-1"),
        Serials = [new GuestSerial("console")],
        Accelerator = Accelerator.Tcg,
    };

    private Task<IGuest> StartAsync(GuestConfig config) => new QemuHypervisor(fixture.Paths).StartAsync(config, Token);
}
