using Virtigo.Appliances;
using Virtigo.Environments;
using Virtigo.Environments.Steps;
using Virtigo.Hypervisors;

namespace Virtigo.Testing;

/// <summary>How the tests of a file are run.</summary>
public sealed record TestOptions
{
    /// <summary>Runs the tests whose names contain one of these, whatever the case; none: all tests.</summary>
    public IReadOnlyList<string> Filters { get; init; } = [];

    /// <summary>How often each test is run, 1 to 100000; each repetition has its own result. Default: 1.</summary>
    public int Repeat { get; init; } = 1;

    /// <summary>How often a test that failed is run again, 0 to 100; when it then passes it is flaky. Default: 0.</summary>
    public int Rerun { get; init; }

    /// <summary>Whether the first failure ends the run. Default: false.</summary>
    public bool FailFast { get; init; }

    /// <summary>How many tests run at once at most, 1 to 1024; null for one per processor. Forks wait for memory besides.</summary>
    public int? Parallel { get; init; }

    /// <summary>Where what is drawn (random partitions, lost frames) comes from; null for the seed of the file, or another one each time when it has none.</summary>
    public ulong? Seed { get; init; }

    /// <summary>How long each test may take on the reference machine, in place of what the file says; null for the file's limits.</summary>
    public TimeSpan? Limit { get; init; }

    /// <summary>How long all tests may take on the reference machine, in place of what the file says; null for the file's limit.</summary>
    public TimeSpan? TotalLimit { get; init; }

    /// <summary>Where consoles, journals, pictures and copied files go, a folder for each test; null: nothing is kept.</summary>
    public string? ArtifactsFolder { get; init; }

    /// <summary>
    /// Takes over the environment of a failed test, given with the test's title, and answers the commands that lead into it; null: it was not
    /// taken, and is destroyed. Default: none is taken.
    /// </summary>
    public Func<VirtualEnvironment, string, CancellationToken, Task<IReadOnlyList<string>?>>? Keep { get; init; }

    /// <summary>
    /// Lets a person look into an environment that stands at a breakpoint, given with the test's title and the place, until they are done. What
    /// it answers is disposed before the environment is. Default: tests go on at once.
    /// </summary>
    public Func<VirtualEnvironment, string, CancellationToken, Task<IAsyncDisposable?>>? Breakpoint { get; init; }

    /// <summary>Whether the first test is one that tries, in every machine, to reach the host and the internet, and fails if it can. Default: false.</summary>
    public bool ProveIsolation { get; init; }

    /// <summary>Reads a length of time as it is written in test files, such as <c>200ms</c>, <c>60s</c> or <c>2m</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when it is none.</exception>
    public static TimeSpan ReadDuration(string text) => Quantities.Duration(text)
        ?? throw new VirtigoException(FailureKind.Usage, $"{SpecProblems.Quote(text)} is not a duration: expected {Quantities.DurationExpected}.");

    /// <summary>What machines may reach outside, for people; none: nothing.</summary>
    internal IReadOnlyList<string> Opened { get; init; } = [];

    /// <summary>The hypervisor, where it is not the one that would be taken by itself.</summary>
    internal string? Hypervisor { get; init; }

    /// <summary>The speed of guests on this host, which scales limits.</summary>
    internal HostSpeed Speed { get; init; } = HostSpeed.OfReference;
}
