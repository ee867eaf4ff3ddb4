using System.Net.Sockets;
using System.Text;
using CsCheck;
using Virtigo.Environments;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.Tests.Environments;

public sealed class ControlServerTests : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");
    private readonly FakeKept _target = new();
    private readonly ControlServer _server;
    private readonly RunningEnvironment _shop;

    public ControlServerTests()
    {
        _server = new ControlServer(KeptPlace.Socket(_folder.FullName), _target, TimeProvider.System);
        _shop = new RunningEnvironment(new KeptInfo("shop", "/shop.yml", 1, DateTimeOffset.UnixEpoch, [FakeKept.Machine]), _folder.FullName);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task It_tells_how_the_environment_is_and_switches_machines()
    {
        RunningStatus status = await _shop.StatusAsync(Token);
        await _shop.PowerAsync(FakeKept.Machine, PowerOrder.Cut, Token);

        Assert.Equal(("shop", MachineState.Paused), (status.Name, status.Machines[0].State));
        Assert.Equal([PowerOrder.Cut], _target.Power);
        Assert.Equal("the last 7 of server", await _shop.ConsoleTailAsync(FakeKept.Machine, 7, Token));
    }

    [Fact]
    public async Task A_programs_streams_and_exit_code_reach_the_client()
    {
        await using GuestCall call = await StartAsync(new CommandOptions { User = "www", Environment = new Dictionary<string, string> { ["A"] = "b" } });
        FakeProgram program = _target.Programs.First();
        using var output = new MemoryStream();
        using var error = new MemoryStream();
        Task<int> running = call.RunAsync(output, error, Token);
        await call.WriteAsync("hello"u8.ToArray(), Token);
        await call.EndInputAsync(Token);

        Assert.Equal("hello", await new StreamReader(program.Input).ReadToEndAsync(Token).WaitAsync(s_limit, Token));
        await program.Error.WriteAsync("oh"u8.ToArray(), Token);
        await program.Output.WriteAsync("HELLO"u8.ToArray(), Token);
        program.Exit(7);

        Assert.Equal(7, await running.WaitAsync(s_limit, Token));
        Assert.Equal(("HELLO", "oh"), (Encoding.UTF8.GetString(output.ToArray()), Encoding.UTF8.GetString(error.ToArray())));
        Assert.Equal(("www", "b"), (program.Options.User, program.Options.Environment["A"]));
        Assert.Null(program.Options.Terminal);
        await program.Disposed.Task.WaitAsync(s_limit, Token);
    }

    [Fact]
    public async Task A_terminal_has_the_clients_size_and_follows_it()
    {
        await using GuestCall call = await StartAsync(new CommandOptions { Terminal = new TerminalOptions("xterm", 100, 40) });
        FakeProgram program = _target.Programs.First();
        await call.ResizeAsync(120, 50, Token);
        await call.SignalAsync(2, Token);
        while (program.Told.Count < 2)
        {
            await Task.Delay(5, Token);
        }

        program.Exit(0);
        await call.RunAsync(Stream.Null, Stream.Null, Token).WaitAsync(s_limit, Token);

        Assert.Equal(new TerminalOptions("xterm", 100, 40), program.Options.Terminal);
        Assert.Equal(["120x50", "signal 2"], program.Told);
    }

    [Fact]
    public async Task A_client_that_goes_away_kills_what_it_ran_even_when_its_input_is_not_taken()
    {
        GuestCall call = await StartAsync(new CommandOptions());
        FakeProgram program = _target.Programs.First();
        await call.WriteAsync(new byte[ControlWire.Window], Token).WaitAsync(s_limit, Token);
        Task more = call.WriteAsync(new byte[1], Token);
        await Task.Delay(50, Token);

        Assert.False(more.IsCompleted);
        Assert.False(program.Disposed.Task.IsCompleted);
        await call.DisposeAsync();
        await program.Disposed.Task.WaitAsync(s_limit, Token);
        await more.WaitAsync(s_limit, Token);
    }

    [Fact]
    public async Task A_client_that_reads_nothing_holds_up_only_itself()
    {
        await using GuestCall slow = await StartAsync(new CommandOptions());
        FakeProgram flood = _target.Programs.First();
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
        Task flooding = Task.Run(async () =>
        {
            while (true)
            {
                await flood.Output.WriteAsync(new byte[32 << 10], enough.Token);
            }
        }, Token);
        for (int i = 0; i < 20; i++)
        {
            await _shop.StatusAsync(Token).WaitAsync(s_limit, Token);
        }

        await slow.DisposeAsync();
        await flood.Disposed.Task.WaitAsync(s_limit, Token);
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flooding);
    }

    [Fact]
    public async Task Input_that_nobody_reads_any_more_does_not_stop_the_output()
    {
        await using GuestCall call = await StartAsync(new CommandOptions());
        FakeProgram program = _target.Programs.First();
        await program.Input.DisposeAsync();
        using var output = new MemoryStream();
        Task<int> running = call.RunAsync(output, Stream.Null, Token);
        await call.WriteAsync(new byte[3 * ControlWire.Window], Token).WaitAsync(s_limit, Token);
        await program.Output.WriteAsync("done"u8.ToArray(), Token);
        program.Exit(0);

        Assert.Equal(0, await running.WaitAsync(s_limit, Token));
        Assert.Equal(4, output.Length);
    }

    [Fact]
    public async Task Failures_are_told_with_their_kind_and_hint()
    {
        _target.Failure = new VirtigoException(FailureKind.TimedOut, "Machine server did not answer.", "Look.");
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => StartAsync(new CommandOptions()));

        Assert.Equal((FailureKind.TimedOut, "Machine server did not answer.", "Look."), (error.Kind, error.Message, error.Hint));
        _target.Failure = new InvalidOperationException("odd");
        Assert.Equal(FailureKind.Internal, (await Assert.ThrowsAsync<VirtigoException>(() => _shop.StatusAsync(Token))).Kind);
    }

    [Fact]
    public async Task A_machine_that_is_lost_while_a_program_runs_is_told()
    {
        await using GuestCall call = await StartAsync(new CommandOptions());
        _target.Programs.First().Lose(new VirtigoException(FailureKind.Guest, "Machine server is off."));

        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => call.RunAsync(Stream.Null, Stream.Null, Token).WaitAsync(s_limit, Token));
        Assert.Equal("Machine server is off.", error.Message);
    }

    [Fact]
    public async Task Down_is_answered_when_everything_is_gone_and_running_programs_end()
    {
        GuestCall call = await StartAsync(new CommandOptions());
        FakeProgram program = _target.Programs.First();
        Task down = _shop.DownAsync(Token);
        await _server.DownRequested.WaitAsync(s_limit, Token);
        await _server.StopAsync();

        Assert.True(program.Disposed.Task.IsCompleted);
        Assert.False(down.IsCompleted);
        await _server.DisposeAsync();
        await down.WaitAsync(s_limit, Token);
        await Assert.ThrowsAsync<VirtigoException>(() => call.RunAsync(Stream.Null, Stream.Null, Token));
        await call.DisposeAsync();
        Assert.Equal(FailureKind.Guest, (await Assert.ThrowsAsync<VirtigoException>(() => _shop.StatusAsync(Token))).Kind);
        Assert.Empty(_folder.EnumerateFiles());
    }

    [Fact]
    public async Task A_connection_carries_both_ways_and_the_end_of_sending()
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        _target.Connection = () =>
        {
            var client = new TcpClient();
            client.Connect((System.Net.IPEndPoint)listener.LocalEndpoint);
            return client.GetStream();
        };
        await using GuestCall call = await _shop.ConnectAsync(FakeKept.Machine, 80, Token);
        using TcpClient far = await listener.AcceptTcpClientAsync(Token);
        using var output = new MemoryStream();
        Task<int> running = call.RunAsync(output, Stream.Null, Token);
        await call.WriteAsync("ping"u8.ToArray(), Token);
        await call.EndInputAsync(Token);

        Assert.Equal("ping", await new StreamReader(far.GetStream(), leaveOpen: true).ReadToEndAsync(Token).WaitAsync(s_limit, Token));
        await far.GetStream().WriteAsync("pong"u8.ToArray(), Token);
        far.Close();
        await running.WaitAsync(s_limit, Token);
        Assert.Equal("pong", Encoding.UTF8.GetString(output.ToArray()));
    }

    [Fact]
    public async Task Nonsense_ends_only_the_one_who_talks_it()
    {
        await Gen.Byte.Array[0, 400].SampleAsync(async bytes =>
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(KeptPlace.Socket(_folder.FullName)), Token);
            try
            {
                await socket.SendAsync(bytes, Token);
                socket.Shutdown(SocketShutdown.Send);
                while (await socket.ReceiveAsync(new byte[1000], Token).AsTask().WaitAsync(s_limit, Token) > 0)
                {
                }
            }
            catch (SocketException)
            {
                // It was refused before it had said all.
            }
        }, iter: 300, threads: 1);
        Assert.Equal("shop", (await _shop.StatusAsync(Token)).Name);
        Assert.False(_server.DownRequested.IsCompleted);
    }

    [Fact]
    public async Task More_input_than_was_asked_for_ends_the_session()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(KeptPlace.Socket(_folder.FullName)), Token);
        await using var wire = new ControlWire(new NetworkStream(socket));
        var request = new ControlRequest { Verb = ControlVerb.Start, Machine = FakeKept.Machine, Arguments = ["cat"] };
        await wire.SendAsync(ControlFrameType.Request, request, ControlJson.Default.ControlRequest, Token);
        await wire.ReadAsync(Token);
        try
        {
            for (int i = 0; i < 3; i++)
            {
                await wire.SendAsync(ControlFrameType.Input, new byte[ControlWire.Window / 2 + 600], Token);
            }
        }
        catch (IOException)
        {
            // It was hung up on.
        }

        await _target.Programs.First().Disposed.Task.WaitAsync(s_limit, Token);
    }

    private Task<GuestCall> StartAsync(CommandOptions options) => _shop.StartAsync(FakeKept.Machine, ["cat"], options, Token);
}
