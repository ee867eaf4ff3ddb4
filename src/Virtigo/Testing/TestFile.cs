using Virtigo.Appliances;
using Virtigo.Environments.Steps;

namespace Virtigo.Testing;

/// <summary>The tests of a file and how they are run, as they are written.</summary>
public sealed class TestFile
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

    internal IReadOnlyList<Step> Steps { get; }
}

/// <summary>Why and how long a test's failures do not count.</summary>
/// <param name="Reason">Why: a sentence or a link.</param>
/// <param name="Until">The last day; from the next on failures count again.</param>
public sealed record TestQuarantine(string Reason, DateOnly Until);
