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

    /// <summary>Where what is drawn (random partitions, lost frames) comes from; null for another one each time.</summary>
    public ulong? Seed { get; init; }

    /// <summary>How long each test may take on the reference machine, in place of what the file says; null for the file's limits.</summary>
    public TimeSpan? Limit { get; init; }

    /// <summary>How long all tests may take on the reference machine, in place of what the file says; null for the file's limit.</summary>
    public TimeSpan? TotalLimit { get; init; }

    /// <summary>Where consoles, journals, pictures and copied files go, a folder for each test; null: nothing is kept.</summary>
    public string? ArtifactsFolder { get; init; }

    /// <summary>The speed of guests on this host, which scales limits. Default: that of the reference machine.</summary>
    public HostSpeed Speed { get; init; } = HostSpeed.OfReference;
}
