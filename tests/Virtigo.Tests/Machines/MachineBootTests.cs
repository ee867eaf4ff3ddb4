using System.IO.Pipelines;
using System.Text;
using Virtigo.Hypervisors;
using Virtigo.Machines;
using Virtigo.Tests.Hypervisors;
using Xunit;

namespace Virtigo.Tests.Machines;

public sealed class MachineBootTests
{
    [Theory]
    [InlineData("[    5.1] systemd[1]: Caught <SEGV> from PID 8.\r\n[    5.2] systemd[1]: Freezing ex|ecution.\r\n", "first process has crashed", "Caught <SEGV>")]
    [InlineData("[   87.0] CR2: 00007f69e1e70148\r\n[   87.1] Kernel panic - not syn|cing: Fatal exception in interrupt\r\n", "kernel has panicked", "CR2: 00007f69")]
    public async Task A_system_that_crashed_is_not_waited_for(string console, string what, string shown)
    {
        await using var machine = new Machine(new MachineConfig
        {
            Name = "server",
            Hypervisor = new OneGuest(new CrashingGuest(console)),
            Guest = new GuestConfig { Name = "server", WorkDirectory = "/none", MemoryMiB = 16 },
        });
        await machine.StartAsync(TestContext.Current.CancellationToken);

        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => machine.RunAsync("true", TestContext.Current.CancellationToken));

        Assert.Equal(FailureKind.Guest, error.Kind);
        Assert.True(error.GuestCrashed);
        Assert.Contains(what, error.Message, StringComparison.Ordinal);
        Assert.Contains(shown, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_whose_kernel_panics_fails_its_boot_test_at_once()
    {
        var guest = new CrashingGuest("[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs|\r\n");
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => new BootTest(new OneGuest(guest), TimeProvider.System).RunAsync(
            new GuestConfig { Name = "web", WorkDirectory = "/none", MemoryMiB = 16, AgentChannel = true, Serials = [new GuestSerial("console")] },
            HostSpeed.OfReference, null, TestContext.Current.CancellationToken));

        Assert.Equal(FailureKind.BootTest, error.Kind);
        Assert.Contains("its kernel has panicked", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_that_switches_itself_off_fails_its_boot_test_by_that_even_if_its_channels_break_first()
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => new BootTest(new OneGuest(new EndingGuest()), TimeProvider.System).RunAsync(
            new GuestConfig { Name = "web", WorkDirectory = "/none", MemoryMiB = 16, AgentChannel = true, Serials = [new GuestSerial("console")] },
            HostSpeed.OfReference, null, TestContext.Current.CancellationToken));

        Assert.Equal(FailureKind.BootTest, error.Kind);
        Assert.Contains("ended while it booted: it switched itself off", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Its channels are reset, and a little later it has ended.</summary>
    private sealed class EndingGuest : FakeGuest
    {
        private readonly TaskCompletionSource<GuestExit> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override Task<GuestExit> Exited => _exited.Task;

        public override Stream Agent => new BrokenStream();

        public override Stream OpenSerial(string name)
        {
            Task.Run(async () =>
            {
                await Task.Delay(200, TestContext.Current.CancellationToken);
                _exited.SetResult(new GuestExit(GuestExitReason.GuestShutdown, "it switched itself off", 0, "", ""));
            });
            return new BrokenStream();
        }

        public override Task KillAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class BrokenStream : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => throw new IOException("Connection reset by peer.");

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw new IOException("Connection reset by peer.");
    }

    /// <summary>Boots, crashes, and stands still; its agent never answers.</summary>
    private sealed class CrashingGuest(string says) : FakeGuest
    {
        private readonly Pipe _console = new();
        private readonly Pipe _agent = new();

        public override Stream Agent => new TwoWayStream(_agent.Reader.AsStream(), Stream.Null);

        public override Stream OpenSerial(string name)
        {
            Task.Run(async () =>
            {
                foreach (string part in says.Split('|'))
                {
                    await _console.Writer.WriteAsync(Encoding.ASCII.GetBytes(part));
                }
            });
            return _console.Reader.AsStream();
        }

        public override Task KillAsync(CancellationToken cancellationToken)
        {
            _agent.Writer.Complete();
            _console.Writer.Complete();
            return Task.CompletedTask;
        }

        public override ValueTask DisposeAsync()
        {
            _console.Writer.Complete();
            return base.DisposeAsync();
        }
    }
}
