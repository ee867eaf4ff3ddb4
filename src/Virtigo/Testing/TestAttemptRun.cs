using Virtigo.Environments.Steps;

namespace Virtigo.Testing;

/// <summary>One attempt at a test: its fork, its steps, what is kept of it.</summary>
internal sealed class TestAttemptRun(
    TestCase test,
    string title,
    int number,
    ulong seed,
    string? artifacts,
    TestFile file,
    TestOptions options,
    Func<ForkRequest, CancellationToken, Task<ITestFork>> forkIt,
    TestHooks hooks,
    TimeProvider clock,
    IProgress<TestEvent>? progress)
{
    private const int ConsoleLines = 15;
    private static readonly TimeSpan s_collectLimit = TimeSpan.FromMinutes(1);
    private readonly ulong _draws = TestSeeds.OfDraws(seed, test.Name);
    private readonly List<StepReport> _steps = [];
    private long _start;

    /// <summary>Whether the fork may be handed over when the attempt fails.</summary>
    public bool MayKeep { get; init; }

    /// <summary>Whether something is worth telling that may come in many tests alike.</summary>
    public Func<string, bool> IsNews { get; init; } = _ => true;

    /// <summary>The command that runs the test again and keeps its machines.</summary>
    public required string LookInside { get; init; }

    /// <summary>Runs it.</summary>
    /// <returns>What became of it; null: it was ended from outside.</returns>
    public async Task<TestAttempt?> RunAsync(CancellationToken end)
    {
        long asked = clock.GetTimestamp();
        ITestFork? machines = null;
        try
        {
            if (artifacts is not null)
            {
                Directory.CreateDirectory(artifacts);
            }

            machines = await forkIt(new ForkRequest(title, _draws, artifacts), end);
            TimeSpan forkTime = clock.GetElapsedTime(asked);
            _start = clock.GetTimestamp();
            progress?.Report(new TestForked(title, forkTime, machines.Target.MachineNames));
            TestFailure? failure = await RunStepsAsync(machines, end);
            TimeSpan elapsed = clock.GetElapsedTime(_start);

            // The proof of isolation tries what must be refused.
            IReadOnlyList<string> refusals = test.Steps.Any(step => step is IsolationStep) ? [] : machines.Refusals(listedOnly: true);
            foreach (string refusal in refusals.Where(IsNews))
            {
                progress?.Report(new TestNote($"{title}: egress: refused: {refusal}"));
            }

            await CollectAsync(machines, failure, end);
            if (failure is not null)
            {
                (failure, bool kept) = await KeepAsync(machines, failure, end);
                machines = kept ? null : machines;
            }

            return new TestAttempt(number, forkTime, elapsed, Rest(), failure) { ArtifactsFolder = artifacts, Seed = seed };
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception error) when (machines is null && error is not OperationCanceledException)
        {
            var failure = new TestFailure(Told(error)) { Hint = (error as VirtigoException)?.Hint, OfMachine = true, Place = Place };
            return new TestAttempt(number, clock.GetElapsedTime(asked), TimeSpan.Zero, Rest(), failure) { Seed = seed };
        }
        finally
        {
            if (machines is not null)
            {
                await machines.DisposeAsync();
            }
        }
    }

    private string Place => new StepPlace(file.Path, test.Line, 1).ToString();

    private TimeSpan Limit => options.Limit ?? test.Limit;

    private async Task<TestFailure?> RunStepsAsync(ITestFork machines, CancellationToken end)
    {
        await using var gate = new ConsoleGate(machines.Target.MachineNames, machines.OpenConsole, test.AllowedConsole, clock);
        using var limit = new PausableLimit(new StepContext { Target = machines.Target, BaseFolder = "", Speed = options.Speed }.Scale(Limit), clock);
        using var gateStop = new CancellationTokenSource();
        _ = gate.Tripped.ContinueWith(_ => gateStop.Cancel(), end, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, gateStop.Token, end);
        var random = new Random((int)(_draws & int.MaxValue));
        foreach ((int index, Step step) in test.Steps.Index())
        {
            if (await RunStepAsync(index + 1, step, machines, gate, limit, random, stop.Token, end) is { } failure)
            {
                return failure;
            }
        }

        await gate.SettleAsync(end);
        return gate.Tripped.IsCompletedSuccessfully ? Failed(machines, test.Steps.Count, test.Steps[^1], GateMessage(gate), ofMachine: false) : null;
    }

    private async Task<TestFailure?> RunStepAsync(
        int at, Step step, ITestFork machines, ConsoleGate gate, PausableLimit limit, Random random, CancellationToken stop, CancellationToken end)
    {
        var context = new StepContext
        {
            Target = machines.Target,
            BaseFolder = Path.GetDirectoryName(Path.GetFullPath(file.Path))!,
            ArtifactsFolder = artifacts,
            Speed = options.Speed,
            Clock = clock,
            Random = random,
            CommandLimit = Limit,
            Breakpoint = hooks.Breakpoint is { } wait ? (here, token) => PauseAsync(wait, machines, here, limit, token) : null,
        };
        progress?.Report(new StepStarted(title, at, step.Title, step.Machines));
        long start = clock.GetTimestamp();
        TestFailure? failure = null;
        try
        {
            Task running = step.RunAsync(context, stop);
            try
            {
                await running.WaitAsync(stop);
            }
            finally
            {
                // A step that does not stop when told to ends with its fork.
                _ = running.ContinueWith(late => late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            }
        }
        catch (Exception error) when (!end.IsCancellationRequested)
        {
            failure = Explain(error, at, step, machines, gate, limit);
        }

        end.ThrowIfCancellationRequested();
        var report = new StepReport(at, step.Title, step.Place.ToString(), step.Machines,
            failure is null ? StepOutcome.Passed : StepOutcome.Failed, clock.GetElapsedTime(start))
        {
            Output = context.Output.Output,
            Error = context.Output.Error,
            Truncated = context.Output.Truncated,
        };
        _steps.Add(report);
        progress?.Report(new StepEnded(title, report));
        return failure;
    }

    private TestFailure Explain(Exception error, int at, Step step, ITestFork machines, ConsoleGate gate, PausableLimit limit)
    {
        if (machines.LostMachine() is { } lost)
        {
            return Failed(machines, at, step, lost, ofMachine: true);
        }

        if (gate.Tripped.IsCompletedSuccessfully)
        {
            return Failed(machines, at, step, GateMessage(gate), ofMachine: false);
        }

        return error switch
        {
            OperationCanceledException when limit.Token.IsCancellationRequested =>
                Failed(machines, at, step, $"The test's limit of {Quantities.Format(Limit)} passed during this step.", ofMachine: false),
            _ when StepFailedException.IsOfStep(error) =>
                Failed(machines, at, step, error.Message, ofMachine: false) with { Hint = (error as VirtigoException)?.Hint },
            _ => Failed(machines, at, step, Told(error), ofMachine: true) with { Hint = (error as VirtigoException)?.Hint },
        };
    }

    private static string GateMessage(ConsoleGate gate)
    {
        ConsoleTrouble trouble = gate.Tripped.Result;
        return $"{trouble.Machine}: its console tells of {trouble.Trouble}: {Step.Short(trouble.Line)}";
    }

    private TestFailure Failed(ITestFork machines, int at, Step step, string message, bool ofMachine)
    {
        IReadOnlyList<string> involved = step.Machines.Count > 0 ? step.Machines : machines.Target.MachineNames;
        return new TestFailure(message)
        {
            OfMachine = ofMachine,
            Step = at,
            Place = step.Place.ToString(),
            Consoles = [.. involved.Select(machine => new ConsoleExcerpt(machine, machines.ConsoleTail(machine, ConsoleLines)))],
            Refusals = machines.Refusals(listedOnly: false),
            ToLookInside = [LookInside, Host.ShellQuote.Command("virtigo", ["shell", involved[0]])],
        };
    }

    private async Task PauseAsync(
        Func<ITestFork, string, Step, CancellationToken, Task> wait, ITestFork machines, Step here, PausableLimit limit, CancellationToken cancellationToken)
    {
        progress?.Report(new TestPaused(title, here.Place.ToString()));
        using (limit.Pause())
        {
            await wait(machines, title, here, cancellationToken);
        }
    }

    private async Task CollectAsync(ITestFork machines, TestFailure? failure, CancellationToken end)
    {
        if (artifacts is null)
        {
            return;
        }

        using var timer = new CancellationTokenSource(options.Speed.Scale(s_collectLimit), clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, end);
        try
        {
            await machines.CollectAsync(artifacts, failure is not null, test.Artifacts, either.Token).WaitAsync(either.Token);
        }
        catch (Exception error) when (!end.IsCancellationRequested)
        {
            progress?.Report(new TestNote($"{title}: not everything could be kept: {Told(error)}"));
        }
    }

    private async Task<(TestFailure, bool Kept)> KeepAsync(ITestFork machines, TestFailure failure, CancellationToken end)
    {
        if (!MayKeep || hooks.Keep is not { } keep)
        {
            return (failure, false);
        }

        try
        {
            return await keep(machines, title, end) is { } ways ? (failure with { ToLookInside = ways }, true) : (failure, false);
        }
        catch (VirtigoException error)
        {
            progress?.Report(new TestNote($"{title}: its machines could not be kept: {error.Message}"));
            return (failure, false);
        }
    }

    /// <summary>The steps that ran, then those that did not.</summary>
    private IReadOnlyList<StepReport> Rest() =>
    [
        .. _steps,
        .. test.Steps.Index().Skip(_steps.Count)
            .Select(pair => new StepReport(pair.Index + 1, pair.Item.Title, pair.Item.Place.ToString(), pair.Item.Machines, StepOutcome.NotRun, TimeSpan.Zero)),
    ];

    private static string Told(Exception error) => error is VirtigoException ? error.Message : $"{error.GetType().Name}: {error.Message}";
}
