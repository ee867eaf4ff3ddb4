using System.Text;
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
    public async Task A_stream_reads_the_console_from_the_first_byte()
    {
        await using IGuest guest = await StartAsync(Config("stream"));
        await using Stream console = guest.OpenSerial("console");
        using var reader = new StreamReader(console, Encoding.UTF8);
        string all = await reader.ReadToEndAsync(Token).WaitAsync(Boot, Token);

        Assert.Contains("Linux version", all, StringComparison.Ordinal);
        Assert.Contains("Kernel panic", all, StringComparison.Ordinal);
        Assert.StartsWith(QemuCommandLine.Program, (await guest.Exited).Command, StringComparison.Ordinal);
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
        Kernel = new KernelBoot(fixture.Kernel, null, "console=ttyS0 panic=-1 no_timer_check"),
        Serials = [new GuestSerial("console")],
        Accelerator = Accelerator.Tcg,
    };

    private Task<IGuest> StartAsync(GuestConfig config) => new QemuHypervisor(fixture.Paths).StartAsync(config, Token);
}
