using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Virtigo.Host;
using Virtigo.Machines;
using Virtigo.Tests.Hypervisors;
using Xunit;

namespace Virtigo.Tests.Machines;

public sealed class GuestAgentTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);
    private readonly NetworkStream _host;
    private readonly NetworkStream _guest;
    private readonly StreamReader _heard;
    private readonly GuestAgent _agent;

    public GuestAgentTests()
    {
        (_host, _guest) = SocketPair.Create();
        _heard = new StreamReader(_guest, Encoding.Latin1);
        _agent = new GuestAgent(_host, TimeProvider.System);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _agent.Dispose();
        _host.Dispose();
        _guest.Dispose();
    }

    [Fact]
    public async Task A_program_runs_to_its_end_and_its_output_comes_back()
    {
        Task<GuestCommandResult> running = _agent.RunAsync("/bin/uname", ["-r"], Token);
        await SynchroniseAsync();
        Assert.Equal("""guest-exec {"path":"/bin/uname","arg":["-r"],"capture-output":true}""", await HearAsync());
        await SayAsync("""{"return": {"pid": 42}}""");
        Assert.Equal("""guest-exec-status {"pid":42}""", await HearAsync());
        await SayAsync("""{"return": {"exited": false}}""");
        Assert.Equal("""guest-exec-status {"pid":42}""", await HearAsync());
        await SayAsync("""{"return": {"exited": true, "exitcode": 3, "out-data": "Ni4xMgo=", "err-data": "bm8=", "err-truncated": true}}""");

        GuestCommandResult result = await running.WaitAsync(Soon, Token);
        Assert.Equal((3, "6.12\n", "no", true), (result.ExitCode, result.OutputText, result.ErrorText, result.Truncated));
    }

    [Fact]
    public async Task What_is_too_long_for_one_request_goes_in_parts_into_a_folder_of_its_own()
    {
        const int limit = 1024;
        string script = string.Concat(Enumerable.Repeat("it's long; ", 300));
        byte[] input = [.. Enumerable.Range(0, 3000).Select(i => (byte)i)];
        using var agent = new GuestAgent(_host, TimeProvider.System, limit);
        Task<GuestCommandResult> running = agent.RunAsync("/bin/sh", ["-c", script], input, Token);
        await SynchroniseAsync();
        var files = new Dictionary<string, List<byte>>();
        string open = "";
        string ran = "";
        while (ran.Length == 0)
        {
            string heard = await HearAsync();
            Assert.InRange(heard.Length, 1, limit);
            string[] parts = heard.Split(' ', 2);
            using var arguments = JsonDocument.Parse(parts[1]);
            string Text(string name) => arguments.RootElement.GetProperty(name).GetString()!;
            switch (parts[0])
            {
                case "guest-exec" when Text("path") == "/bin/mkdir":
                    Assert.Contains("""["-m","700","/run/virtigo-""", parts[1], StringComparison.Ordinal);
                    await SayAsync("""{"return": {"pid": 1}}""");
                    await HearAsync();
                    await SayAsync("""{"return": {"exited": true, "exitcode": 0}}""");
                    break;
                case "guest-file-open":
                    files[open = Text("path")] = [];
                    await SayAsync("""{"return": 7}""");
                    break;
                case "guest-file-write":
                    byte[] bytes = arguments.RootElement.GetProperty("buf-b64").GetBytesFromBase64();
                    files[open].AddRange(bytes);
                    await SayAsync($$"""{"return": {"count": {{bytes.Length}}, "eof": false } }""");
                    break;
                case "guest-file-close":
                    await SayAsync("""{"return": {}}""");
                    break;
                default:
                    ran = arguments.RootElement.GetProperty("arg")[0].GetString()!;
                    break;
            }
        }

        await SayAsync("""{"return": {"pid": 2}}""");
        await HearAsync();
        await SayAsync("""{"return": {"exited": true, "exitcode": 5}}""");
        Assert.Equal(5, (await running.WaitAsync(Soon, Token)).ExitCode);
        string folder = Path.GetDirectoryName(ran)!;
        Assert.Equal(input, files[folder + "/input"]);
        Assert.Equal($"exec <{folder}/input\nrm -rf {folder}\nexec /bin/sh -c {ShellQuote.Word(script)}\n", Encoding.UTF8.GetString([.. files[ran]]));
    }

    [Fact]
    public async Task An_error_of_the_agent_is_told_and_the_next_command_works()
    {
        Task<GuestCommandResult> running = _agent.RunAsync("/no/such", [], Token);
        await SynchroniseAsync();
        await HearAsync();
        await SayAsync("""{"error": {"class": "GenericError", "desc": "Failed to execute child process"}}""");
        GuestAgentException error = await Assert.ThrowsAsync<GuestAgentException>(() => running.WaitAsync(Soon, Token));
        Assert.Contains("Failed to execute child process", error.Message, StringComparison.Ordinal);

        Task ping = _agent.PingAsync(Token);
        Assert.Equal("guest-ping ", await HearAsync());
        await SayAsync("""{"return": {}}""");
        await ping.WaitAsync(Soon, Token);
    }

    [Fact]
    public async Task Noise_and_old_answers_before_the_synchronisation_are_skipped()
    {
        Task ping = _agent.PingAsync(Token);
        long id = await HearSyncAsync();
        await SayAsync("login: garbage");
        await SayAsync("""{"return": 1}""");
        await SayAsync($$"""half an answ\u00ff{"return": {{id}}}""".Replace("\\u00ff", "\u00ff", StringComparison.Ordinal));
        Assert.Equal("guest-ping ", await HearAsync());
        await SayAsync("""{"return": {}}""");

        await ping.WaitAsync(Soon, Token);
    }

    [Fact]
    public async Task An_agent_that_starts_late_is_asked_again()
    {
        var clock = new FakeTimeProvider();
        using var agent = new GuestAgent(_host, clock);
        Task waiting = agent.WaitAsync(Token);
        long first = await HearSyncAsync();
        clock.Advance(TimeSpan.FromSeconds(3));
        long second = await HearSyncAsync();
        await SayAsync($$"""{"return": {{first}}}""");
        Assert.False(waiting.IsCompleted);
        await SayAsync($$"""{"return": {{second}}}""");

        await waiting.WaitAsync(Soon, Token);
    }

    [Fact]
    public async Task An_hour_without_an_answer_leaves_no_more_in_a_serial_line_than_it_holds()
    {
        var clock = new SkippingClock();
        using var agent = new GuestAgent(_host, clock);
        using var end = new CancellationTokenSource();
        Task waiting = agent.WaitAsync(end.Token);
        int asked = 0;
        while (clock.Skipped < TimeSpan.FromHours(1))
        {
            asked += (await _heard.ReadLineAsync(Token).AsTask().WaitAsync(Soon, Token))!.Length + 1;
        }

        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.InRange(asked, 1, 3584);
    }

    [Fact]
    public async Task A_command_that_was_given_up_is_not_answered_by_its_late_answer()
    {
        using var cancel = new CancellationTokenSource();
        Task ping = _agent.PingAsync(cancel.Token);
        await SynchroniseAsync();
        await HearAsync();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ping);

        Task<byte[]> reading = _agent.ReadFileAsync("/etc/x", 100, Token);
        long id = await HearSyncAsync();
        await SayAsync("""{"return": {}}""");
        await SayAsync($$"""{"return": {{id}}}""");
        Assert.Equal("""guest-file-open {"path":"/etc/x","mode":"r"}""", await HearAsync());
        await SayAsync("""{"return": 1000}""");
        await HearAsync();
        await SayAsync("""{"return": {"count": 2, "buf-b64": "aGk=", "eof": true}}""");
        Assert.Equal("""guest-file-close {"handle":1000}""", await HearAsync());
        await SayAsync("""{"return": {}}""");

        Assert.Equal("hi"u8.ToArray(), await reading.WaitAsync(Soon, Token));
    }

    [Fact]
    public async Task A_file_larger_than_its_limit_is_refused_and_closed()
    {
        Task<byte[]> reading = _agent.ReadFileAsync("/dev/zero", 3, Token);
        await SynchroniseAsync();
        await HearAsync();
        await SayAsync("""{"return": 1}""");
        await HearAsync();
        await SayAsync("""{"return": {"count": 4, "buf-b64": "AAAAAA==", "eof": false}}""");
        Assert.StartsWith("guest-file-close", await HearAsync(), StringComparison.Ordinal);
        await SayAsync("""{"return": {}}""");

        await Assert.ThrowsAsync<InvalidDataException>(() => reading.WaitAsync(Soon, Token));
    }

    [Fact]
    public async Task A_guest_that_is_gone_ends_the_wait()
    {
        Task waiting = _agent.WaitAsync(Token);
        _guest.Dispose();

        await Assert.ThrowsAnyAsync<IOException>(() => waiting.WaitAsync(Soon, Token));
    }

    [Fact]
    public void A_hostile_answer_is_refused_or_read_but_never_breaks_the_reader()
    {
        byte[][] samples =
        [
            """{"return": {"exited": true, "exitcode": 3, "signal": 9, "out-data": "Ni4xMgo=", "err-data": "bm8=", "out-truncated": true}}"""u8.ToArray(),
            """{"error": {"class": "GenericError", "desc": "Failed \ud83d\ude00"}}"""u8.ToArray(),
        ];
        Gen.Select(Gen.OneOf(samples.Select(Gen.Const).ToArray()), Gen.Int[0, 1000], Gen.Byte, Gen.Int[0, 200]).Sample((sample, at, value, cut) =>
        {
            byte[] damaged = [.. sample];
            damaged[at % damaged.Length] = value;
            ReadOrRefuse(damaged);
            ReadOrRefuse(damaged.AsMemory(0, Math.Min(cut, damaged.Length)));
        }, iter: 20_000);
    }

    private static void ReadOrRefuse(ReadOnlyMemory<byte> line)
    {
        try
        {
            JsonElement answer = GuestAgentMessage.ParseAnswer("x", line);
            GuestAgentMessage.Number(answer, "exitcode");
            GuestAgentMessage.Flag(answer, "exited");
            GuestAgentMessage.Bytes(answer, "out-data");
        }
        catch (Exception error) when (error is InvalidDataException or GuestAgentException)
        {
        }
    }

    private async Task SynchroniseAsync() => await SayAsync($$"""{"return": {{await HearSyncAsync()}}}""");

    private async Task<long> HearSyncAsync()
    {
        string line = (await _heard.ReadLineAsync(Token).AsTask().WaitAsync(Soon, Token))!;
        Assert.Equal('\u00ff', line[0]);
        using JsonDocument command = JsonDocument.Parse(line[1..]);
        Assert.Equal("guest-sync-delimited", command.RootElement.GetProperty("execute").GetString());
        return command.RootElement.GetProperty("arguments").GetProperty("id").GetInt64();
    }

    private async Task<string> HearAsync()
    {
        string line = (await _heard.ReadLineAsync(Token).AsTask().WaitAsync(Soon, Token))!;
        using JsonDocument command = JsonDocument.Parse(line);
        return command.RootElement.GetProperty("execute").GetString() + " "
            + (command.RootElement.TryGetProperty("arguments", out JsonElement arguments) ? arguments.GetRawText() : "");
    }

    private async Task SayAsync(string line) => await _guest.WriteAsync(Encoding.Latin1.GetBytes(line + "\n"), Token);

    /// <summary>A clock on which every wait is over in no time, and that tells how much was waited.</summary>
    private sealed class SkippingClock : TimeProvider
    {
        private long _skipped;

        public TimeSpan Skipped => TimeSpan.FromTicks(Interlocked.Read(ref _skipped));

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Interlocked.Add(ref _skipped, dueTime.Ticks);
            return base.CreateTimer(callback, state, TimeSpan.FromMilliseconds(2), period);
        }
    }
}
