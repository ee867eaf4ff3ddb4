using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Virtigo.Machines;
using Virtigo.Tests.Hypervisors;
using Xunit;

namespace Virtigo.Tests.Machines;

/// <summary>A guest whose agent works, and whose side of the stream channel may not.</summary>
public sealed class ChannelStartTests : IAsyncDisposable
{
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(20);
    private readonly FakeTimeProvider _clock = new();
    private readonly NetworkStream _agent;
    private readonly NetworkStream _channel;
    private readonly MachineRun _run;
    private readonly List<string> _ran = [];
    private (int Code, string Said) _look = (1, "");
    private Task _serving = Task.CompletedTask;

    public ChannelStartTests()
    {
        (NetworkStream agentOfHost, _agent) = SocketPair.Create();
        (NetworkStream channelOfHost, _channel) = SocketPair.Create();
        var config = new MachineConfig
        {
            Name = "server",
            Hypervisor = null!,
            Guest = null!,
            Clock = _clock,
        };
        _run = new MachineRun(config, new TwoChannels(agentOfHost, channelOfHost));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _agent.DisposeAsync();
        await _channel.DisposeAsync();
        await _run.DisposeAsync();
        await _serving;
    }

    [Fact]
    public async Task A_program_that_ended_is_told_soon_with_what_it_said()
    {
        _look = (1, "Can't locate strict.pm in @INC\nvirtigo-channel.service: Main process exited, code=exited, status=2/INVALIDARGUMENT\n");
        VirtigoException told = await Assert.ThrowsAsync<VirtigoException>(ConnectAsync);

        Assert.Equal(FailureKind.Guest, told.Kind);
        Assert.Equal("""
            The stream channel of machine server does not work: its program was started, and ended without a word to the host. It said last:
            Can't locate strict.pm in @INC
            virtigo-channel.service: Main process exited, code=exited, status=2/INVALIDARGUMENT
            """, told.Message);
        Assert.InRange(_clock.GetUtcNow() - _clock.Start, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(40));
    }

    [Fact]
    public async Task A_program_that_runs_and_says_nothing_is_given_a_minute()
    {
        _look = (0, "");
        VirtigoException told = await Assert.ThrowsAsync<VirtigoException>(ConnectAsync);

        Assert.Equal("The stream channel of machine server does not work: its program runs, but said nothing for 60 s.", told.Message);
        Assert.InRange(_clock.GetUtcNow() - _clock.Start, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(120));
        Assert.Equal(4, _ran.Count(script => script.Contains("pgrep", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_next_command_starts_it_anew()
    {
        await Assert.ThrowsAsync<VirtigoException>(ConnectAsync);
        await Assert.ThrowsAsync<VirtigoException>(ConnectAsync);
        Assert.Equal(2, _ran.Count(script => script.Contains("mkdir -p /run/virtigo", StringComparison.Ordinal)));
    }

    private async Task ConnectAsync()
    {
        if (_serving.IsCompleted)
        {
            _serving = ServeAsync();
        }

        Task connecting = _run.ShellAsync(Token);
        long start = TimeProvider.System.GetTimestamp();
        while (!connecting.IsCompleted)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < s_soon);
            _clock.Advance(TimeSpan.FromSeconds(0.1));
            await Task.Delay(1, Token);
        }

        await connecting;
    }

    /// <summary>Answers as qemu-guest-agent does; what it is to run, it writes down.</summary>
    private async Task ServeAsync()
    {
        using var heard = new StreamReader(_agent, Encoding.Latin1);
        string script = "";
        try
        {
            while (await heard.ReadLineAsync(CancellationToken.None) is { } line)
            {
                using JsonDocument command = JsonDocument.Parse(line.TrimStart('\u00ff'));
                command.RootElement.TryGetProperty("arguments", out JsonElement arguments);
                string answer = command.RootElement.GetProperty("execute").GetString() switch
                {
                    "guest-sync-delimited" => "\u00ff" + $$"""{"return": {{arguments.GetProperty("id").GetInt64()}}}""",
                    "guest-exec" => Started(script = arguments.GetProperty("arg")[1].GetString()!),
                    "guest-exec-status" => script.Contains("pgrep", StringComparison.Ordinal)
                        ? $$"""{"return": {"exitcode": {{_look.Code}}, "out-data": "{{Convert.ToBase64String(Encoding.UTF8.GetBytes(_look.Said))}}", "exited": true } }"""
                        : """{"return": {"exited": true, "exitcode": 0}}""",
                    _ => """{"return": {}}""",
                };
                await _agent.WriteAsync(Encoding.Latin1.GetBytes(answer + "\n"));
            }
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private string Started(string script)
    {
        _ran.Add(script);
        return """{"return": {"pid": 42}}""";
    }

    private sealed class TwoChannels(Stream agent, Stream channel) : FakeGuest
    {
        public override Stream? Agent => agent;

        public override Stream? Channel => channel;
    }
}
