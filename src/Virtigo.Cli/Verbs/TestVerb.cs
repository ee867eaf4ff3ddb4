using System.CommandLine;
using Virtigo.Cli.Output;
using Virtigo.Environments;
using Virtigo.Hypervisors;
using Virtigo.Testing;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo test</c>: the tests of a file, each in a fork of its own of the ready environment.</summary>
internal static class TestVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        var wanted = new TestVerbOptions();
        var verb = new Verb("test", "Run the tests of a file, each in a fresh copy of its running machines",
            "virtigo test shop.yml                                  # builds and boots what is missing, once",
            "virtigo test shop.yml --filter power --repeat 20       # one test, twenty times",
            "virtigo test shop.yml --junit report.xml --artifacts out   # in CI",
            "virtigo test shop.yml --tap -                          # TAP on standard output",
            "virtigo test shop.yml --hypervisor libvirt             # each test boots its machines there",
            "virtigo test shop.yml --matrix                         # under every hypervisor that can run them",
            "virtigo test shop.yml --list                           # the names of the tests");
        wanted.AddTo(verb);
        verb.Does(options, host, (run, cancellationToken) => RunAsync(run, wanted, cancellationToken));
        return verb;
    }

    private static async Task<int> RunAsync(Invocation run, TestVerbOptions wanted, CancellationToken cancellationToken)
    {
        TestFile file = await TestFile.LoadAsync(run.Value(wanted.File)!, cancellationToken);
        TestOptions how = wanted.Read(run);
        IReadOnlyList<TestCase> chosen = file.Select(how.Filters);
        if (run.Value(wanted.List))
        {
            foreach (TestCase test in chosen)
            {
                run.Data(test.Name);
            }

            return 0;
        }

        IReadOnlyList<(string Path, Func<TestReport, string> Text)> reports = wanted.Reports(run);
        if (run.Value(wanted.Matrix))
        {
            HypervisorOptions.ExpectNone(run.Value(wanted.Hypervisor));
        }

        await using var kept = new KeptTests(run);
        if (run.Host.IsTerminal && !run.Mode.Json)
        {
            how = how with { Breakpoint = kept.BreakAsync };
        }

        if (run.Value(wanted.KeepOnFailure))
        {
            how = how with { Keep = kept.KeepAsync };
        }

        (TestReport report, int code) = run.Value(wanted.Matrix)
            ? await RunAllAsync(run, wanted, file, how, cancellationToken)
            : await RunOneAsync(run, wanted, file, how, hypervisor: null, cancellationToken);
        foreach ((string path, Func<TestReport, string> text) in reports)
        {
            await WriteAsync(run, path, text(report), cancellationToken);
        }

        await kept.WaitAsync(cancellationToken);
        return code;
    }

    /// <summary>Runs the tests under one hypervisor.</summary>
    /// <param name="run">The run.</param>
    /// <param name="wanted">The options.</param>
    /// <param name="file">The tests.</param>
    /// <param name="how">How they are run.</param>
    /// <param name="hypervisor">The hypervisor, where several run them; else null.</param>
    /// <param name="cancellationToken">Ends it.</param>
    private static async Task<(TestReport Report, int Code)> RunOneAsync(
        Invocation run, TestVerbOptions wanted, TestFile file, TestOptions how, string? hypervisor, CancellationToken cancellationToken)
    {
        EnvironmentOptions where = Environment(run, wanted.Accelerator, "virtigo test " + file.Path) with
        {
            Hypervisor = hypervisor ?? run.Value(wanted.Hypervisor),
            Trusted = run.Value(wanted.Trusted),
        };
        using EnvironmentSnapshot ready = await PrepareAsync(run, file, where, how.Filters, hypervisor, cancellationToken);
        TestReport report;

        // What a person is asked at a breakpoint must not be drawn over.
        OutputMode mode = file.Select(how.Filters).Any(test => test.HasBreakpoint) ? run.Mode with { Live = false } : run.Mode;
        await using (ITestDisplay display = ITestDisplay.For(run.Host, mode, hypervisor))
        {
            report = await file.RunAsync(ready, how, display, cancellationToken);
        }

        return (report, TestSummary.Write(run, report, wanted.FlakyFails(run), hypervisor));
    }

    /// <summary>Runs the tests under every hypervisor that can, one after the other, with the same draws.</summary>
    private static async Task<(TestReport Report, int Code)> RunAllAsync(
        Invocation run, TestVerbOptions wanted, TestFile file, TestOptions how, CancellationToken cancellationToken)
    {
        var entries = new List<MatrixEntry>();
        foreach (IHypervisor hypervisor in HypervisorCatalog.All(run.Host.Paths))
        {
            if (await file.ObstacleAsync(hypervisor, how.Filters, run.Value(wanted.Trusted), cancellationToken) is { } obstacle)
            {
                entries.Add(new MatrixEntry(hypervisor.Name, null, obstacle, null));
                continue;
            }

            run.People($"{hypervisor.Name}:");
            TestOptions here = how.ArtifactsFolder is { } folder ? how with { ArtifactsFolder = Path.Combine(folder, hypervisor.Name) } : how;
            try
            {
                (TestReport report, _) = await RunOneAsync(run, wanted, file, here, hypervisor.Name, cancellationToken);
                how = how with { Seed = report.Seed };
                entries.Add(new MatrixEntry(hypervisor.Name, report, null, null));
            }
            catch (VirtigoException failure)
            {
                // What of the file is wrong was told above: what is left is what this hypervisor cannot do.
                entries.Add(new MatrixEntry(hypervisor.Name, null, failure.Message, failure.Kind == FailureKind.Usage ? null : failure.Kind));
            }
        }

        var matrix = new TestMatrix(file.Path, entries);
        matrix.Write(run);
        int code = matrix.ExitCode(wanted.FlakyFails(run));
        return code != 0 && entries.All(entry => entry.Report is null)
            ? throw new VirtigoException((FailureKind)code, $"{file.Path} was run by no hypervisor: {entries.First(entry => entry.Failure is not null).Reason}")
            : (matrix.Report(), code);
    }

    /// <summary>Where and how environments are made.</summary>
    public static EnvironmentOptions Environment(Invocation run, Option<string> accelerator, string rerun) => new()
    {
        Paths = run.Host.Paths,
        Offline = run.Value(run.Options.Offline),
        AllowExpired = run.Value(run.Options.AllowExpired),
        Accelerator = Accelerators.Of(run.Value(accelerator)),
        Clock = run.Host.Clock,
        RerunCommand = rerun,
    };

    /// <summary>Makes the environment of a file ready for some of its tests, with a display of what happens.</summary>
    public static async Task<EnvironmentSnapshot> PrepareAsync(
        Invocation run, TestFile file, EnvironmentOptions options, IReadOnlyList<string> filters, string? hypervisor, CancellationToken cancellationToken)
    {
        await using IBuildDisplay display = IBuildDisplay.For(run.Host, run.Mode, hypervisor: hypervisor);
        return await file.PrepareAsync(options, filters, display, cancellationToken);
    }

    private static async Task WriteAsync(Invocation run, string path, string text, CancellationToken cancellationToken)
    {
        if (path == "-")
        {
            run.Host.Data.Write(text);
            return;
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            await File.WriteAllTextAsync(path, text, cancellationToken);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Host, $"The report {path} cannot be written: {error.Message}",
                "Give a path that you may write to.", error);
        }
    }
}
