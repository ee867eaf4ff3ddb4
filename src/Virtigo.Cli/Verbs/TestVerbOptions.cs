using System.CommandLine;
using System.Globalization;
using Virtigo.Testing;

namespace Virtigo.Cli.Verbs;

/// <summary>The options of <c>virtigo test</c>.</summary>
internal sealed class TestVerbOptions
{
    private readonly Option<string[]> _filter = new("--filter")
    {
        Description = "Run the tests with this in their name, whatever the case; may be given several times",
        HelpName = "text",
        AllowMultipleArgumentsPerToken = false,
    };

    private readonly Option<int> _repeat = Counted("--repeat", 1, 100_000, "Run each test this often", 1);
    private readonly Option<int> _rerun = Counted("--rerun", 0, 100, "Run a failed test again up to this often; one that then passes is flaky", 0);
    private readonly Option<bool> _failFast = new("--fail-fast") { Description = "End the run at the first failure" };

    private readonly Option<string> _flaky = new("--flaky")
    {
        Description = "Whether a flaky test fails the run: pass or fail",
        DefaultValueFactory = _ => "pass",
    };

    private readonly Option<string> _parallel = new("--parallel")
    {
        Description = "How many tests run at once at most; never more than memory has room for",
        HelpName = "n|auto",
        DefaultValueFactory = _ => "auto",
    };

    private readonly Option<ulong?> _seed = new("--seed") { Description = "Draw the same as an attempt of an earlier run did, which reports name [default: the seed of the file, else another one each time]", HelpName = "number" };
    private readonly Option<string?> _limit = new("--limit") { Description = "How long each test may take, such as 5m [default: what the file says, else 10m]", HelpName = "time" };
    private readonly Option<string?> _totalLimit = new("--total-limit") { Description = "How long all tests may take [default: what the file says, else no limit]", HelpName = "time" };
    private readonly Option<string?> _artifacts = new("--artifacts") { Description = "Keep consoles, journals, pictures, packets and copied files of each test here", HelpName = "folder" };
    private readonly Option<string?> _junit = new("--junit") { Description = "Write a JUnit XML report; - is standard output", HelpName = "file" };
    private readonly Option<string?> _tap = new("--tap") { Description = "Write a TAP 14 report; - is standard output", HelpName = "file" };
    private readonly Option<string?> _report = new("--report") { Description = "Write a JSON report; - is standard output", HelpName = "file" };

    private readonly Option<bool> _proveIsolation = new("--prove-isolation") { Description = "First try, in every machine, to reach the host and the internet, and fail if it can" };

    public TestVerbOptions()
    {
        _flaky.AcceptOnlyFromAmong("pass", "fail");
        _parallel.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { } word && word != "auto" && Number(word) is null)
            {
                result.AddError($"'{word}' does not fit --parallel: expected a number from 1 to 1024, or auto.");
            }
        });
    }

    public Argument<string> File { get; } = new("file")
    {
        Description = "The file with the machines and their tests (YAML)",
        HelpName = "file",
        CompletionSources = { _ => Candidates() },
    };

    public Option<bool> List { get; } = new("--list") { Description = "Print the names of the tests; run nothing" };

    public Option<bool> KeepOnFailure { get; } = new("--keep-on-failure") { Description = "Leave the machines of the first failed test running" };

    public Option<string> Accelerator { get; } = Accelerators.Option();

    public Option<string?> Hypervisor { get; } = HypervisorOptions.ForMachines();

    public Option<bool> Matrix { get; } = HypervisorOptions.Matrix("Run the tests under every hypervisor that can, and show a line for each and each test");

    public Option<bool> Trusted { get; } = HypervisorOptions.Trusted("the machines", "auto and --matrix");

    public void AddTo(Verb verb)
    {
        verb.Add(File);
        foreach (Option option in (Option[])[_filter, _repeat, _rerun, _flaky, _failFast, _parallel, _seed, _limit, _totalLimit, KeepOnFailure, _proveIsolation, _artifacts, _junit, _tap, _report, List, Hypervisor, Matrix, Trusted, Accelerator])
        {
            verb.Add(option);
        }
    }

    public TestOptions Read(Invocation run) => new()
    {
        Filters = run.Value(_filter) ?? [],
        Repeat = run.Value(_repeat),
        Rerun = run.Value(_rerun),
        FailFast = run.Value(_failFast),
        Parallel = Number(run.Value(_parallel)!),
        Seed = run.Value(_seed),
        Limit = run.Value(_limit) is { } limit ? TestOptions.ReadDuration(limit) : null,
        TotalLimit = run.Value(_totalLimit) is { } total ? TestOptions.ReadDuration(total) : null,
        ArtifactsFolder = run.Value(_artifacts),
        ProveIsolation = run.Value(_proveIsolation),
    };

    public bool FlakyFails(Invocation run) => run.Value(_flaky) == "fail";

    /// <summary>Where reports go, and what they say.</summary>
    /// <exception cref="VirtigoException">More than one thing is to go to standard output.</exception>
    public IReadOnlyList<(string Path, Func<TestReport, string> Text)> Reports(Invocation run)
    {
        (string? Path, Func<TestReport, string> Text)[] all =
        [
            (run.Value(_junit), report => report.ToJUnit()),
            (run.Value(_tap), report => report.ToTap()),
            (run.Value(_report), report => report.ToJson()),
        ];
        if (all.Count(report => report.Path == "-") + (run.Mode.Json ? 1 : 0) > 1)
        {
            throw new VirtigoException(FailureKind.Usage, "More than one report would go to standard output.", "Give all but one a file, and leave --json out.");
        }

        return [.. all.Where(report => report.Path is not null).Select(report => (report.Path!, report.Text))];
    }

    private static int? Number(string word) =>
        int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number is >= 1 and <= 1024 ? number : null;

    private static Option<int> Counted(string name, int least, int most, string description, int usual)
    {
        Option<int> option = new(name) { Description = description, HelpName = "n", DefaultValueFactory = _ => usual };
        option.Validators.Add(result =>
        {
            if (result.Errors.Any())
            {
                return;
            }

            int number = result.GetValueOrDefault<int>();
            if (number < least || number > most)
            {
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{number} does not fit {name}: expected {least} to {most}."));
            }
        });
        return option;
    }

    private static IEnumerable<string> Candidates() =>
        Directory.EnumerateFiles(".").Select(Path.GetFileName).OfType<string>()
            .Where(file => file.EndsWith(".yml", StringComparison.Ordinal) || file.EndsWith(".yaml", StringComparison.Ordinal));
}
