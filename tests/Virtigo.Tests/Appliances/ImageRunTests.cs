using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Machines;
using Virtigo.Tests.Archives;
using Virtigo.Tests.Hypervisors;
using Virtigo.Tests.Images;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class ImageRunTests : IDisposable
{
    private readonly TestStore _test = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _test.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Root_is_logged_in_by_a_drop_in_of_the_running_copy(int exitCode)
    {
        var hypervisor = new AnsweringHypervisor(exitCode);
        StoredImage image = await _test.SealRealAsync("a");
        await using ImageRun machine = await ImageRun.StartAsync(_test.Paths, hypervisor, image, new RunOptions(), Token);

        Exception? failure = await Record.ExceptionAsync(() => machine.LogRootInAsync((50, 132), Token));

        Assert.Equal(exitCode == 0 ? null : FailureKind.Guest, (failure as VirtigoException)?.Kind);
        string script = Assert.Single(hypervisor.Scripts);
        Assert.Contains("/run/systemd/system/$unit.d", script, StringComparison.Ordinal);
        Assert.Contains("\nExecStart=\nExecStart=-/sbin/agetty --autologin root ", script, StringComparison.Ordinal);
        Assert.Contains("\nTTYRows=50\nTTYColumns=132\n", script, StringComparison.Ordinal);
        TestArchiveTools.Run("/bin/sh", null, "-n", "-c", script);
    }

    [Fact]
    public async Task A_command_has_its_limit()
    {
        StoredImage image = await _test.SealRealAsync("a");
        await using ImageRun machine = await ImageRun.StartAsync(_test.Paths, new AnsweringHypervisor(exitCode: null), image, new RunOptions(), Token);

        VirtigoException late = await Assert.ThrowsAsync<VirtigoException>(
            () => machine.ExecuteAsync("sleep 1d", new CommandOptions { Limit = TimeSpan.FromMilliseconds(200) }, Token));

        Assert.Equal(FailureKind.TimedOut, late.Kind);
        Assert.Contains("\"sleep 1d\" did not end within 0 s", late.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("(none)", "locked", false)]
    [InlineData("al (no password, 1 ssh key)", "locked", false)]
    [InlineData("al (password set, 0 ssh keys)", "locked", true)]
    [InlineData("(none)", "password set", true)]
    public void Who_has_a_password_can_log_in(string user, string root, bool can)
    {
        ImageManifest manifest = TestStore.Manifest(TestStore.KeyOf("a")) with { Plan = [new("user", user, "x"), new("root", root, "x")] };

        Assert.Equal(can, ImageRun.HasPassword(new StoredImage(_test.Below("a"), manifest)));
    }

    /// <summary>Starts nothing; its guests' agent says that every program ended with one exit code, or runs on.</summary>
    private sealed class AnsweringHypervisor(int? exitCode) : IHypervisor
    {
        public List<string> Scripts { get; } = [];

        public string Name => "answering";

        public HypervisorCapabilities Capabilities => new() { MaxSerials = 1, AgentChannel = true, DiskBoot = true, Qcow2 = true };

        public string? OwnKernel => null;

        public Task<string> VersionAsync(CancellationToken cancellationToken) => Task.FromResult("1");

        public Task<HypervisorPresence> LookAsync(CancellationToken cancellationToken) => Task.FromResult(new HypervisorPresence("1", null, null));

        public Task<AcceleratorReport> ProbeAsync(string kernelPath, CancellationToken cancellationToken) => throw new NotSupportedException();

        public AcceleratorReport? Remembered() => null;

        public Task<IGuest> StartAsync(GuestConfig config, CancellationToken cancellationToken)
        {
            (NetworkStream ours, NetworkStream theirs) = SocketPair.Create();
            return Task.FromResult<IGuest>(new Guest(ours, AnswerAsync(theirs)));
        }

        private async Task AnswerAsync(NetworkStream channel)
        {
            using var heard = new StreamReader(channel, Encoding.Latin1);
            while (await heard.ReadLineAsync(Token) is { } line)
            {
                using JsonDocument command = JsonDocument.Parse(line.TrimStart('\u00ff'));
                JsonElement arguments = command.RootElement.GetProperty("arguments");
                string answer = command.RootElement.GetProperty("execute").GetString() switch
                {
                    "guest-sync-delimited" => arguments.GetProperty("id").GetRawText(),
                    "guest-exec" => Started(arguments),
                    _ => exitCode is null ? """{"exited": false}""" : $$"""{"exited": true, "exitcode": {{exitCode}}}""",
                };
                await channel.WriteAsync(Encoding.ASCII.GetBytes($$"""{"return": {{answer}}}""" + "\n"), Token);
            }
        }

        private string Started(JsonElement arguments)
        {
            Scripts.Add(arguments.GetProperty("arg")[1].GetString()!);
            return """{"pid": 7}""";
        }

        private sealed class Guest(NetworkStream agent, Task answering) : FakeGuest
        {
            public override Stream Agent => agent;

            public override async ValueTask DisposeAsync()
            {
                await agent.DisposeAsync();
                await answering;
                await base.DisposeAsync();
            }
        }
    }
}
