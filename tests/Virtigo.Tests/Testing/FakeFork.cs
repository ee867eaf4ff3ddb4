using System.IO.Pipelines;
using Virtigo.Environments.Steps;
using Virtigo.Networks;
using Virtigo.Testing;

namespace Virtigo.Tests.Testing;

/// <summary>A step that does what the test says.</summary>
internal sealed record FakeStep(Func<StepContext, CancellationToken, Task> Body) : Step
{
    public override Task RunAsync(StepContext context, CancellationToken cancellationToken) => Body(context, cancellationToken);
}

/// <summary>An environment without machines that do anything.</summary>
internal sealed class FakeTarget(params string[] machines) : IStepTarget
{
    public List<string> Done { get; } = [];

    public Func<string, IStepMachine>? Machines { get; init; }

    public IReadOnlyList<string> MachineNames => machines;

    public IStepMachine Machine(string name) => Machines?.Invoke(name) ?? throw new InvalidOperationException("no machine does anything here");

    public void SetFault(LinkSelector selector, LinkFault fault) => Done.Add($"fault {selector.From}-{selector.To}");

    public void ClearFaults() => Done.Add("clear");

    public void SetPartition(IReadOnlyList<LinkSelector> cuts) => Done.Add($"partition {cuts.Count}");
}

/// <summary>A fork that is only counted.</summary>
internal sealed class FakeFork : ITestFork
{
    // What is said has been read when the saying ends.
    private readonly Pipe _console = new(new PipeOptions(pauseWriterThreshold: 1, resumeWriterThreshold: 1));
    private bool _opened;

    public FakeTarget Fake { get; } = new("server", "client");

    public bool Disposed { get; private set; }

    public string? Lost { get; set; }

    public List<string> Collected { get; } = [];

    public IStepTarget Target => Fake;

    public async Task SayAsync(string line) => await _console.Writer.WriteAsync(System.Text.Encoding.UTF8.GetBytes(line + "\n"));

    public Stream? OpenConsole(string machine)
    {
        if (machine != "server" || _opened)
        {
            return null;
        }

        _opened = true;
        return _console.Reader.AsStream();
    }

    public IReadOnlyList<string> ConsoleTail(string machine, int lines) => [$"{machine} login:"];

    public string? LostMachine() => Lost;

    public Task CollectAsync(string folder, bool failed, IReadOnlyList<string> files, CancellationToken cancellationToken)
    {
        Collected.Add($"{Path.GetFileName(folder)} {failed} {string.Join(' ', files)}");
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        _console.Writer.Complete();
        return default;
    }
}

/// <summary>Collects what a runner tells.</summary>
internal sealed class Told : IProgress<TestEvent>
{
    private readonly Lock _gate = new();
    private readonly List<TestEvent> _events = [];

    public IReadOnlyList<TestEvent> Events
    {
        get
        {
            lock (_gate)
            {
                return [.. _events];
            }
        }
    }

    public void Report(TestEvent value)
    {
        lock (_gate)
        {
            _events.Add(value);
        }
    }
}
