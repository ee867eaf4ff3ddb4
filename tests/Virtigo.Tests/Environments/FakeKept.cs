using System.Collections.Concurrent;
using System.IO.Pipelines;
using Virtigo.Environments;
using Virtigo.Environments.Steps;
using Virtigo.Machines;
using Virtigo.Tests.Testing;

namespace Virtigo.Tests.Environments;

/// <summary>An environment with one machine, whose programs the test plays itself.</summary>
internal sealed class FakeKept : IControlTarget
{
    /// <summary>The machine.</summary>
    public const string Machine = "server";

    /// <summary>The programs that were started, in order.</summary>
    public ConcurrentQueue<FakeProgram> Programs { get; } = [];

    /// <summary>Starts programs in place of the test.</summary>
    public Func<IReadOnlyList<string>, CommandOptions, CancellationToken, Task<GuestProcess>>? Starts { get; set; }

    /// <summary>What was switched.</summary>
    public ConcurrentQueue<PowerOrder> Power { get; } = [];

    /// <summary>What a connection or console leads to.</summary>
    public Func<Stream> Connection { get; set; } = () => Stream.Null;

    /// <summary>What steps are done to.</summary>
    public FakeTarget Target { get; set; } = new(Machine);

    /// <summary>Thrown by whatever is asked next.</summary>
    public Exception? Failure { get; set; }

    public RunningStatus Status() => Failure is { } failure ? throw failure
        : new RunningStatus("shop", "/shop.yml", DateTimeOffset.UnixEpoch, 1, [new RunningMachine(Machine, MachineState.Paused, 512, 1, [])], []);

    public Task PowerAsync(string machine, PowerOrder order, CancellationToken cancellationToken)
    {
        Power.Enqueue(order);
        return Task.CompletedTask;
    }

    public Task<GuestProcess> StartAsync(string machine, IReadOnlyList<string> arguments, CommandOptions options, CancellationToken cancellationToken)
    {
        if (Starts is { } starts)
        {
            return starts(arguments, options, cancellationToken);
        }

        if (Failure is { } failure)
        {
            throw failure;
        }

        var program = new FakeProgram(arguments, options);
        Programs.Enqueue(program);
        return Task.FromResult(program.Process);
    }

    public Task<Stream> ConnectAsync(string machine, int port, CancellationToken cancellationToken) => Task.FromResult(Connection());

    public Stream OpenConsole(string machine) => Connection();

    public string ConsoleTail(string machine, int lines) => $"the last {lines} of {machine}";

    public StepContext Steps(string folder, StepOutput output) =>
        new() { Target = Target, BaseFolder = folder, ArtifactsFolder = folder, HasMachineFolders = false, Output = output };

    public Task PrepareSshAsync(string? machine, CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>A program in a machine, played by a test.</summary>
internal sealed class FakeProgram : IGuestProcessControl
{
    private readonly Pipe _input = new(new PipeOptions(pauseWriterThreshold: 1024, resumeWriterThreshold: 512));
    private readonly Pipe _output = new();
    private readonly Pipe _error = new();
    private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public FakeProgram(IReadOnlyList<string> arguments, CommandOptions options)
    {
        (Arguments, Options) = (arguments, options);
        Process = new GuestProcess(_input.Writer.AsStream(), _output.Reader.AsStream(), _error.Reader.AsStream(), _exited.Task, this);
    }

    public IReadOnlyList<string> Arguments { get; }

    public CommandOptions Options { get; }

    public GuestProcess Process { get; }

    public Stream Input => _input.Reader.AsStream();

    public Stream Output => _output.Writer.AsStream(leaveOpen: true);

    public Stream Error => _error.Writer.AsStream(leaveOpen: true);

    /// <summary>What it was told: <c>signal 2</c>, <c>80x24</c>.</summary>
    public ConcurrentQueue<string> Told { get; } = [];

    /// <summary>Completes when it is killed or forgotten.</summary>
    public TaskCompletionSource Disposed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Exit(int code)
    {
        _output.Writer.Complete();
        _error.Writer.Complete();
        _exited.SetResult(code);
    }

    public void Lose(Exception failure)
    {
        _output.Writer.Complete();
        _error.Writer.Complete();
        _exited.SetException(failure);
    }

    public Task SignalAsync(int signal, CancellationToken cancellationToken)
    {
        Told.Enqueue($"signal {signal}");
        return Task.CompletedTask;
    }

    public Task ResizeAsync(int columns, int rows, CancellationToken cancellationToken)
    {
        Told.Enqueue($"{columns}x{rows}");
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        Disposed.TrySetResult();
        return ValueTask.CompletedTask;
    }
}
