using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Virtigo.Hypervisors;
using Virtigo.Tests.Hypervisors;

namespace Virtigo.Tests.Environments;

/// <summary>A hypervisor whose guests are nothing but an agent that says yes to everything, and writes down what it was to run.</summary>
internal sealed class PlayedHypervisor(string name, HypervisorCapabilities can) : IHypervisor
{
    public static HypervisorCapabilities Everything { get; } = new()
    {
        MaxSerials = 2,
        MaxDisks = 4,
        MaxNics = 4,
        DiskBoot = true,
        Uefi = true,
        Qcow2 = true,
        AgentChannel = true,
        StreamChannel = true,
        Pause = true,
        Fork = true,
        GenerationId = true,
        Credentials = true,
        DiskFaults = true,
        SysRq = true,
        SendKeys = true,
        Display = true,
        Isolation = true,
    };

    public string Name => name;

    public HypervisorCapabilities Capabilities => can;

    public HypervisorPresence Presence { get; init; } = new("1", null, null);

    public string? OwnKernel => null;

    /// <summary>What was started, in that order.</summary>
    public ConcurrentQueue<GuestConfig> Started { get; } = [];

    /// <summary>What was run, as <c>machine: script</c>.</summary>
    public ConcurrentQueue<string> Ran { get; } = [];

    /// <summary>The exit code of a script.</summary>
    public Func<string, int> ExitCode { get; set; } = _ => 0;

    public int Running;

    public Task<string> VersionAsync(CancellationToken cancellationToken) => Task.FromResult("1");

    public Task<HypervisorPresence> LookAsync(CancellationToken cancellationToken) => Task.FromResult(Presence);

    public Task<AcceleratorReport> ProbeAsync(string kernelPath, CancellationToken cancellationToken) => throw new NotSupportedException();

    public AcceleratorReport? Remembered() => null;

    public Task<IGuest> StartAsync(GuestConfig config, CancellationToken cancellationToken)
    {
        GuestConfigCheck.Check(name, can, config);
        if (config.MemoryFile is { Shared: true } memory)
        {
            File.WriteAllText(memory.Path, "");
        }

        Started.Enqueue(config);
        Interlocked.Increment(ref Running);
        (NetworkStream ours, NetworkStream theirs) = SocketPair.Create();
        return Task.FromResult<IGuest>(new Guest(this, ours, AnswerAsync(config.Name, theirs)));
    }

    private async Task AnswerAsync(string machine, NetworkStream channel)
    {
        using var heard = new StreamReader(channel, Encoding.Latin1);
        int code = 0;
        while (await heard.ReadLineAsync(CancellationToken.None) is { } line)
        {
            using JsonDocument command = JsonDocument.Parse(line.TrimStart('\u00ff'));
            command.RootElement.TryGetProperty("arguments", out JsonElement arguments);
            string answer;
            switch (command.RootElement.GetProperty("execute").GetString())
            {
                case "guest-sync-delimited":
                    answer = arguments.GetProperty("id").GetRawText();
                    break;
                case "guest-exec":
                    string script = arguments.GetProperty("arg")[1].GetString()!;
                    Ran.Enqueue($"{machine}: {script}");
                    code = ExitCode(script);
                    answer = """{"pid": 7}""";
                    break;
                default:
                    answer = FormattableString.Invariant($$"""{"exited": true, "exitcode": {{code}}}""");
                    break;
            }

            await channel.WriteAsync(Encoding.ASCII.GetBytes($$"""{"return": {{answer}}}""" + "\n"), CancellationToken.None);
        }
    }

    private sealed class Guest(PlayedHypervisor hypervisor, NetworkStream agent, Task answering) : FakeGuest
    {
        private int _ended;
        private readonly TaskCompletionSource<GuestExit> _exit = new();

        public override Task<GuestExit> Exited => _exit.Task;

        public override Stream Agent => agent;

        public override Task PauseAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override Task ResumeAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override Task SaveStateAsync(string path, CancellationToken cancellationToken) => File.WriteAllTextAsync(path, "", cancellationToken);

        public override Task KillAsync(CancellationToken cancellationToken)
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0)
            {
                Interlocked.Decrement(ref hypervisor.Running);
                _exit.SetResult(new GuestExit(GuestExitReason.Killed, "it was ended", 137, "", ""));
            }

            return Task.CompletedTask;
        }

        public override async ValueTask DisposeAsync()
        {
            await KillAsync(CancellationToken.None);
            await agent.DisposeAsync();
            await answering;
            await base.DisposeAsync();
        }
    }
}
