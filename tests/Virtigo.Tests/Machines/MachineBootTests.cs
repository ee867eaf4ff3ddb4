using System.IO.Pipelines;
using System.Text;
using Virtigo.Hypervisors;
using Virtigo.Machines;
using Virtigo.Tests.Hypervisors;
using Xunit;

namespace Virtigo.Tests.Machines;

public sealed class MachineBootTests
{
    [Fact]
    public async Task A_system_whose_first_process_crashed_is_not_waited_for()
    {
        await using var machine = new Machine(new MachineConfig
        {
            Name = "server",
            Hypervisor = new OneGuest(new CrashingGuest()),
            Guest = new GuestConfig { Name = "server", WorkDirectory = "/none", MemoryMiB = 16 },
        });
        await machine.StartAsync(TestContext.Current.CancellationToken);

        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => machine.RunAsync("true", TestContext.Current.CancellationToken));

        Assert.Equal(FailureKind.Guest, error.Kind);
        Assert.Contains("first process has crashed", error.Message, StringComparison.Ordinal);
        Assert.Contains("Caught <SEGV>", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Boots, crashes, and stands still; its agent never answers.</summary>
    private sealed class CrashingGuest : FakeGuest
    {
        private readonly Pipe _console = new();

        public override Stream Agent { get; } = new TwoWayStream(new Pipe().Reader.AsStream(), Stream.Null);

        public override Stream OpenSerial(string name)
        {
            Task.Run(async () =>
            {
                foreach (string part in (string[])["[    5.1] systemd[1]: Caught <SEGV> from PID 8.\r\n[    5.2] systemd[1]: Freezing ex", "ecution.\r\n"])
                {
                    await _console.Writer.WriteAsync(Encoding.ASCII.GetBytes(part));
                }
            });
            return _console.Reader.AsStream();
        }

        public override ValueTask DisposeAsync()
        {
            _console.Writer.Complete();
            return base.DisposeAsync();
        }
    }
}
