using System.CommandLine;
using Virtigo.Cli.Output;
using Virtigo.Environments;
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
        await using var kept = new KeptTests(run);
        using EnvironmentSnapshot ready = await PrepareAsync(run, file, wanted.Accelerator, "virtigo test " + file.Path, cancellationToken);
        if (run.Host.IsTerminal && !run.Mode.Json)
        {
            how = how with { Breakpoint = kept.BreakAsync };
        }

        if (run.Value(wanted.KeepOnFailure))
        {
            how = how with { Keep = kept.KeepAsync };
        }

        TestReport report;

        // What a person is asked at a breakpoint must not be drawn over.
        OutputMode mode = chosen.Any(test => test.HasBreakpoint) ? run.Mode with { Live = false } : run.Mode;
        await using (ITestDisplay display = ITestDisplay.For(run.Host, mode))
        {
            report = await file.RunAsync(ready, how, display, cancellationToken);
        }

        foreach ((string path, Func<TestReport, string> text) in reports)
        {
            await WriteAsync(run, path, text(report), cancellationToken);
        }

        int code = TestSummary.Write(run, report, wanted.FlakyFails(run));
        await kept.WaitAsync(cancellationToken);
        return code;
    }

    /// <summary>Makes the environment of a file ready, with a display of what happens.</summary>
    public static async Task<EnvironmentSnapshot> PrepareAsync(
        Invocation run, TestFile file, Option<string> accelerator, string rerun, CancellationToken cancellationToken)
    {
        await using IBuildDisplay display = IBuildDisplay.For(run.Host, run.Mode);
        var options = new EnvironmentOptions
        {
            Paths = run.Host.Paths,
            Offline = run.Value(run.Options.Offline),
            AllowExpired = run.Value(run.Options.AllowExpired),
            Accelerator = Accelerators.Of(run.Value(accelerator)),
            Clock = run.Host.Clock,
            RerunCommand = rerun,
        };
        return await VirtualEnvironment.FromFile(file.Path).PrepareAsync(options, display, cancellationToken);
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
