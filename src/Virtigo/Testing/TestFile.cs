using Virtigo.Appliances;
using Virtigo.Environments;
using Virtigo.Environments.Steps;

namespace Virtigo.Testing;

/// <summary>The tests of a file and how they are run, as they are written.</summary>
public sealed partial class TestFile
{
    /// <summary>The largest file that is read, in bytes.</summary>
    public const int MaxFileBytes = 1 << 20;

    internal TestFile(string path, IReadOnlyList<TestCase> tests) => (Path, Tests) = (path, tests);

    /// <summary>The file's path, as it was given.</summary>
    public string Path { get; }

    /// <summary>The tests, in the order of the file.</summary>
    public IReadOnlyList<TestCase> Tests { get; }

    /// <summary>How long all tests together may take on the reference machine; null for no limit.</summary>
    public TimeSpan? TotalLimit { get; internal init; }

    /// <summary>Where what is drawn comes from when a run says nothing else; null for another one each time.</summary>
    public ulong? Seed { get; internal init; }

    /// <summary>The names of the environment's machines, in the order of the file.</summary>
    public IReadOnlyList<string> Machines { get; internal init; } = [];

    /// <summary>Reads a file of at most <see cref="MaxFileBytes"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException">The file cannot be read, has no tests, or something is wrong with its content: each with file, line and column.</exception>
    public static async Task<TestFile> LoadAsync(string path, CancellationToken cancellationToken) =>
        Parse(await YamlTree.ReadFileAsync(path, MaxFileBytes, cancellationToken), path);

    /// <summary>Reads the tests of a text; what the file says of machines and networks is left to the environment's reader.</summary>
    /// <param name="yaml">The text.</param>
    /// <param name="file">The file's name, for messages.</param>
    /// <exception cref="VirtigoException">Everything that is wrong with the tests, each with file, line and column.</exception>
    public static TestFile Parse(string yaml, string file) => TestFileReader.Parse(yaml, file);

    /// <summary>The tests whose names contain one of some texts, whatever the case.</summary>
    /// <param name="filters">The texts; none: all tests.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when no test fits.</exception>
    public IReadOnlyList<TestCase> Select(IReadOnlyList<string> filters)
    {
        TestCase[] chosen = filters.Count == 0 ? [.. Tests]
            : [.. Tests.Where(test => filters.Any(filter => test.Name.Contains(filter, StringComparison.OrdinalIgnoreCase)))];
        return chosen.Length > 0 ? chosen
            : throw new VirtigoException(FailureKind.Usage,
                $"No test of {Path} has {string.Join(" or ", filters.Select(SpecProblems.Quote))} in its name.",
                $"Its tests: {string.Join(", ", Tests.Take(20).Select(test => SpecProblems.Quote(test.Name)))}{(Tests.Count > 20 ? ", …" : "")}");
    }

    /// <summary>Runs the tests, each in a fork of its own of the ready environment; as many at once as asked for and as the host has memory for.</summary>
    /// <param name="ready">The environment that the same file describes.</param>
    /// <param name="options">How they are run.</param>
    /// <param name="progress">Told of everything that happens, from any thread; null for nobody.</param>
    /// <param name="cancellationToken">Ends the run; nothing of it remains.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> when no test fits the filters, or one asks for what the hypervisor cannot do.
    /// </exception>
    public Task<TestReport> RunAsync(EnvironmentSnapshot ready, TestOptions options, IProgress<TestEvent>? progress, CancellationToken cancellationToken)
    {
        HypervisorDemand.Check(ready.Host.Hypervisor,
            [.. Demands(options.Filters), .. options.ProveIsolation ? [HypervisorDemand.Of(Path, "the proof of isolation", "isolation")] : Array.Empty<HypervisorDemand>()]);
        var hooks = new TestHooks
        {
            Keep = options.Keep is { } keep ? (fork, title, token) => keep(((EnvironmentFork)fork).Environment, title, token) : null,
            Breakpoint = options.Breakpoint is { } wait
                ? async (fork, title, step, token) =>
                    {
                        var real = (EnvironmentFork)fork;
                        real.Own(await wait(real.Environment, $"{title}, {step.Place}", token));
                    }
                : null,
        };
        TestOptions fitting = options with
        {
            Parallel = Math.Min(options.Parallel ?? Environment.ProcessorCount, ready.ForksThatFit),
            Speed = ready.Host.Speed,
            Hypervisor = ready.BootsEachFork ? ready.Hypervisor : null,
            Opened = VirtualEnvironment.OpenedBy(ready.Plan),
        };
        return new TestRunner(this, fitting, ForkAsync, hooks, ready.Host.Clock, progress).RunAsync(cancellationToken);

        async Task<ITestFork> ForkAsync(ForkRequest request, CancellationToken token)
        {
            VirtualEnvironment fork = await ready.ForkAsync(request.Seed, token);
            try
            {
                return new EnvironmentFork(fork, request.ArtifactsFolder);
            }
            catch
            {
                await fork.DisposeAsync();
                throw;
            }
        }
    }
}

/// <summary>A test: steps that run, one after the other, in a fork of the environment of its own.</summary>
public sealed class TestCase
{
    internal TestCase(string name, int line, IReadOnlyList<Step> steps) => (Name, Line, Steps) = (name, line, steps);

    /// <summary>Its name, which no other test of the file has.</summary>
    public string Name { get; }

    /// <summary>The line it begins in, from 1.</summary>
    public int Line { get; }

    /// <summary>How long it may take on the reference machine, its fork included. Default: 10 minutes.</summary>
    public TimeSpan Limit { get; internal init; } = TimeSpan.FromMinutes(10);

    /// <summary>Regular expressions of console lines that do not fail it although they tell of trouble.</summary>
    public IReadOnlyList<string> AllowedConsole { get; internal init; } = [];

    /// <summary>Why its failures do not count at present; null: they count.</summary>
    public TestQuarantine? Quarantine { get; internal init; }

    /// <summary>What is copied from machines after the steps, as <c>machine:/path</c>.</summary>
    public IReadOnlyList<string> Artifacts { get; internal init; } = [];

    /// <summary>How many steps it has.</summary>
    public int StepCount => Steps.Count;

    /// <summary>Whether a step of it waits for a person.</summary>
    public bool HasBreakpoint => Steps.Any(step => step is BreakpointStep);

    /// <summary>Where <see cref="Artifacts"/> are written.</summary>
    internal string ArtifactsPlace { get; init; } = "";

    internal IReadOnlyList<Step> Steps { get; }
}

/// <summary>Why and how long a test's failures do not count.</summary>
/// <param name="Reason">Why: a sentence or a link.</param>
/// <param name="Until">The last day; from the next on failures count again.</param>
public sealed record TestQuarantine(string Reason, DateOnly Until);
