using System.Net.Sockets;
using System.Text;
using CsCheck;
using Virtigo.Environments;
using Virtigo.Environments.Steps;
using Virtigo.Machines;
using Virtigo.Tests.Testing;
using Xunit;

namespace Virtigo.Tests.Environments;

/// <summary>Steps on a kept environment, through its control socket.</summary>
public sealed class KeptStepTests : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");
    private readonly FakeKept _target = new();
    private readonly ControlServer _server;
    private readonly RunningEnvironment _shop;
    private readonly List<string> _done = [];
    private readonly MemoryStream _output = new();
    private readonly Told _told = new();

    public KeptStepTests()
    {
        _server = new ControlServer(KeptPlace.Socket(_folder.FullName), _target, TimeProvider.System);
        _shop = new RunningEnvironment(new KeptInfo("shop", "/shop.yml", 1, DateTimeOffset.UnixEpoch, [FakeKept.Machine]), _folder.FullName);
        Answers((_, _, _) => Task.FromResult(FakeMachine.Result(0)));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Steps_run_in_the_keeper_one_after_the_other_and_their_output_comes_over()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "page"), "hi", Token);
        IReadOnlyList<StepCallResult> results = await RunAsync(
            "link: {to: server, loss: 5%}", "- power cut: server\n- start: server", "server: echo hi", "heal: all",
            "copy in: {machine: server, from: page, to: /srv/page}", "copy out: {machine: server, from: /etc/hostname}", "screenshot: {machine: server, to: x/now.png}",
            "screen text: server", "journal: {machine: server, unit: nginx, prints: nginx}", "keys: {machine: server, press: alt-f2}", "sysrq: {machine: server, key: s}");

        Assert.Equal(12, results.Count);
        Assert.All(results, result => Assert.NotNull(result.Elapsed));
        Assert.All(results, result => Assert.Null(result.Failure));
        Assert.Equal(["fault -server", "partition 0", "clear"], _target.Target.Done);
        Assert.Equal(
            ["server: PowerCut", "server: Start", "server: in page /srv/page", $"server: out /etc/hostname {_folder.FullName}/hostname", "server: press alt-f2", "server: sysrq s"], _done);
        Assert.Equal("ran echo hi\nserver login:\njournal of nginx\nsysrq: s\n", Encoding.UTF8.GetString(_output.ToArray()));
        Assert.Equal(("ran echo hi\n", "step 3:1:1", "server: echo hi"), (results[3].Output, results[3].Place, results[3].Title));
        Assert.Equal([1, 2, 3], await File.ReadAllBytesAsync(Path.Combine(_folder.FullName, "x", "now.png"), Token));
        Assert.Equal(Enumerable.Range(1, 12).SelectMany(number => (int[])[number, number]), _told.Steps.Select(step => step.Number));
    }

    [Fact]
    public async Task A_step_that_fails_is_told_and_none_after_it_begins()
    {
        Answers((_, _, _) => Task.FromResult(FakeMachine.Result(3)));
        IReadOnlyList<StepCallResult> results = await RunAsync("heal: links", "server: false", "heal: all");
        Assert.Equal((FailureKind.Test, "server: exit code 3, expected 0."), (results[1].Failure!.Kind, results[1].Failure!.Message));
        Assert.Equal((true, true, false), (results[0].Elapsed is not null, results[1].Elapsed is not null, results[2].Elapsed is not null));
        Assert.Equal(["clear"], _target.Target.Done);

        Answers((_, _, _) => throw new VirtigoException(FailureKind.Guest, "Machine server is off.", "Start it first."));
        VirtigoException off = (await RunAsync("server: true"))[0].Failure!;
        Assert.Equal((FailureKind.Test, "Machine server is off.", "Start it first."), (off.Kind, off.Message, off.Hint));

        Answers((_, _, _) => throw new VirtigoException(FailureKind.Host, "The disk is full."));
        Assert.Equal(FailureKind.Host, (await RunAsync("server: true"))[0].Failure!.Kind);
    }

    [Fact]
    public async Task Of_a_command_that_is_tried_again_only_the_last_attempt_is_shown()
    {
        int tries = 0;
        Answers((_, _, _) => Task.FromResult(FakeMachine.Result(++tries < 3 ? 1 : 0)));
        IReadOnlyList<StepCallResult> results = await RunAsync("server: {run: a, within: 10s}");
        Assert.Equal((3, "ran a\n", "ran a\n"), (tries, results[0].Output, Encoding.UTF8.GetString(_output.ToArray())));
    }

    [Theory]
    [InlineData("sever: a", "step 1:1:1: 'sever' is neither a machine nor a verb; did you mean 'server'?")]
    [InlineData("link: {from: server, los: 5%}", "step 1:1:22: 'los' is no key of link; did you mean 'loss'?")]
    [InlineData("- heal: all\n- heal: al", "step 1:2:9: heal.what: 'al' is not")]
    [InlineData("", "step 1:1:1: there is no step")]
    [InlineData("[]", "step 1:1:1: 'step 1' has no steps")]
    [InlineData("heal:", "step 1:1:")]
    [InlineData("a: b: c", "step 1:1:5: this is not YAML")]
    public async Task What_is_wrong_in_a_step_is_told_with_its_place_and_nothing_is_done(string step, string told)
    {
        VirtigoException wrong = await Assert.ThrowsAsync<VirtigoException>(() => RunAsync("heal: all", step).ContinueWith(_ => RunAsync(step), Token).Unwrap());
        Assert.Equal(FailureKind.Usage, wrong.Kind);
        Assert.StartsWith(told, wrong.Message, StringComparison.Ordinal);
        Assert.Empty(_target.Target.Done);
    }

    [Fact]
    public async Task A_client_that_reads_nothing_holds_its_command_up_and_its_going_away_ends_the_step()
    {
        long written = 0;
        var ended = new TaskCompletionSource();
        Answers((_, options, token) => Task.Run(() =>
        {
            byte[] flood = new byte[64 << 10];
            try
            {
                while (true)
                {
                    options.OnOutput!(flood, false);
                    Interlocked.Add(ref written, flood.Length);
                    token.ThrowIfCancellationRequested();
                }
            }
            finally
            {
                ended.SetResult();
            }
        }, token).ContinueWith(_ => FakeMachine.Result(0), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default));

        var stuck = new StuckStream();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        Task running = _shop.RunStepsAsync([new StepText("step", "server: yes")], new StepCallOptions { Folder = _folder.FullName, Output = stuck }, stop.Token);
        await stuck.Reached.Task.WaitAsync(s_limit, Token);
        long before = -1;
        while (before != Interlocked.Read(ref written))
        {
            before = Interlocked.Read(ref written);
            await Task.Delay(200, Token);
        }

        Assert.InRange(before, 1, 8 << 20);
        Assert.Equal("shop", (await _shop.StatusAsync(Token)).Name);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(s_limit, Token));
        await ended.Task.WaitAsync(s_limit, Token);
    }

    [Fact]
    public async Task A_request_for_steps_that_makes_no_sense_is_refused_by_the_keeper_too()
    {
        foreach (ControlRequest request in (ControlRequest[])
        [
            new() { Verb = ControlVerb.Steps },
            new() { Verb = ControlVerb.Steps, Steps = [], Folder = "/" },
            new() { Verb = ControlVerb.Steps, Steps = [new StepText("a", "heal: all")], Folder = "not/absolute" },
            new() { Verb = ControlVerb.Steps, Steps = [new StepText("a", "nonsense")], Folder = "/" },
            new() { Verb = ControlVerb.Steps, Steps = [.. Enumerable.Repeat(new StepText("a", "heal: all"), 1001)], Folder = "/" },
        ])
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(KeptPlace.Socket(_folder.FullName)), Token);
            await using var wire = new ControlWire(new NetworkStream(socket));
            await wire.SendAsync(ControlFrameType.Request, request, ControlJson.Default.ControlRequest, Token);
            ControlAnswer answer = ControlWire.Message((await wire.ReadAsync(Token))!.Value, ControlFrameType.Answer, ControlJson.Default.ControlAnswer);
            Assert.Equal(FailureKind.Usage, answer.Error!.Kind);
        }

        Assert.Empty(_target.Target.Done);
    }

    [Fact]
    public void Whatever_a_keeper_sends_is_read_or_refused() =>
        Gen.Select(Gen.Int[-1, 3], Gen.Bool, Gen.Double, Gen.String).List[0, 6].Sample(frames =>
        {
            using var bytes = new MemoryStream();
            var wire = new ControlWire(bytes);
            foreach ((int number, bool ended, double seconds, string output) in frames)
            {
                double finite = double.IsFinite(seconds) ? seconds : 0;
                wire.SendAsync(ControlFrameType.Step, new ControlStep { Number = number, Ended = ended, Seconds = finite }, ControlJson.Default.ControlStep, default).Wait();
                wire.SendAsync(ControlFrameType.Output, Encoding.UTF8.GetBytes(output), default).Wait();
            }

            wire.SendAsync(ControlFrameType.Exit, 0, default).Wait();
            bytes.Position = 0;
            IReadOnlyList<Step> steps = StepReader.ReadTexts([new StepText("a", "[heal: all, heal: links]")], ["server"]);
            try
            {
                Assert.Equal(2, new StepCall(wire, steps, new StepCallOptions()).RunAsync(default).Result.Count);
            }
            catch (AggregateException wrong) when (wrong.InnerException is InvalidDataException)
            {
                Assert.Contains(frames, frame => frame.Item1 is < 1 or > 2);
            }
        }, iter: 300);

    private void Answers(Func<string, CommandOptions, CancellationToken, Task<CommandResult>> answer) =>
        _target.Target = new FakeTarget(FakeKept.Machine) { Machines = name => new FakeMachine(name, _done) { Answer = answer } };

    private Task<IReadOnlyList<StepCallResult>> RunAsync(params string[] steps) => _shop.RunStepsAsync(
        [.. steps.Select((step, index) => new StepText($"step {index + 1}", step))],
        new StepCallOptions { Folder = _folder.FullName, Output = _output, Progress = _told }, Token).WaitAsync(s_limit, Token);

    private sealed class Told : IProgress<StepCallResult>
    {
        public List<StepCallResult> Steps { get; } = [];

        public void Report(StepCallResult value) => Steps.Add(value);
    }

    /// <summary>A pipe that nobody reads.</summary>
    private sealed class StuckStream : MemoryStream
    {
        public TaskCompletionSource Reached { get; } = new();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Reached.TrySetResult();
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
    }
}
