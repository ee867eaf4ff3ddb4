using System.IO.Pipelines;
using System.Text;
using Virtigo.Hypervisors;
using Virtigo.Machines;
using Virtigo.Tests.Hypervisors;
using Xunit;

namespace Virtigo.Tests.Machines;

public sealed class MachineSysRqTests
{
    private const string Help = "[    1.2] sysrq: HELP : loglevel(0-9) reboot(b)\r\n";
    private const string Disabled = "[    1.2] sysrq: This sysrq operation is disabled.\r\n";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_command_whose_answer_got_lost_on_the_console_is_given_again()
    {
        var guest = new QuietGuest("", "", "[    1.2] sysrq: Emergency Sync\r\n");
        await using Machine machine = await StartAsync(guest);

        Assert.Equal("sysrq: Emergency Sync", await machine.SysRqAsync("sync", Token));
        Assert.Equal("sss", guest.Given);
    }

    [Fact]
    public async Task What_a_command_tells_ends_at_the_answer_that_was_asked_for_again()
    {
        var guest = new QuietGuest("[    1.1] sysrq: Show Memory\r\n[    1.1] Mem-Info:\r\n", "", Help);
        await using Machine machine = await StartAsync(guest);

        Assert.Equal("sysrq: Show Memory\n[    1.1] Mem-Info:", (await machine.SysRqAsync("memory", Token)).ReplaceLineEndings("\n"));
        Assert.Equal("mhh", guest.Given);
    }

    [Fact]
    public async Task A_command_that_is_not_allowed_is_told_with_what_allows_it()
    {
        await using Machine machine = await StartAsync(new QuietGuest(Disabled));

        VirtigoException refused = await Assert.ThrowsAsync<VirtigoException>(() => machine.SysRqAsync("memory", Token));
        Assert.Equal(FailureKind.Usage, refused.Kind);
        Assert.Contains("sysctl -w kernel.sysrq=1", refused.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("reboot", "b")]
    [InlineData("oom-kill", "f")]
    public async Task A_command_that_ends_something_is_given_once_and_its_silence_is_told(string command, string given)
    {
        var guest = new QuietGuest();
        await using Machine machine = await StartAsync(guest);

        VirtigoException late = await Assert.ThrowsAsync<VirtigoException>(() => machine.SysRqAsync(command, Token));
        Assert.Equal(FailureKind.TimedOut, late.Kind);
        Assert.Contains("given once only", late.Message, StringComparison.Ordinal);
        Assert.Equal(given, guest.Given);
    }

    private static async Task<Machine> StartAsync(QuietGuest guest)
    {
        var machine = new Machine(new MachineConfig
        {
            Name = "server",
            Hypervisor = new OneGuest(guest),
            Guest = new GuestConfig { Name = "server", WorkDirectory = "/none", MemoryMiB = 16 },
            Clock = new ClockOf(guest),
        });
        await machine.StartAsync(Token);
        return machine;
    }

    /// <summary>A guest whose kernel answers one SysRq after the other with what is given, and after that with nothing.</summary>
    private sealed class QuietGuest(params string[] answers) : FakeGuest
    {
        private readonly Pipe _console = new();
        private readonly Queue<string> _answers = new(answers);

        public bool Silent { get; private set; } = answers.Length == 0;

        public string Given { get; private set; } = "";

        public override Stream OpenSerial(string name) => _console.Reader.AsStream();

        public override async Task SysRqAsync(string serial, char key, CancellationToken cancellationToken)
        {
            Given += key;
            string answer = _answers.TryDequeue(out string? next) ? next : "";
            Silent = answer.Length == 0;
            await _console.Writer.WriteAsync(Encoding.ASCII.GetBytes(answer), cancellationToken);
        }

        public override async ValueTask DisposeAsync()
        {
            await _console.Writer.CompleteAsync();
            await base.DisposeAsync();
        }
    }

    /// <summary>A clock whose time passes at once while a guest is silent, and stands still while it has something to say.</summary>
    private sealed class ClockOf(QuietGuest guest) : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, guest.Silent ? TimeSpan.Zero : Timeout.InfiniteTimeSpan, period);
    }
}
