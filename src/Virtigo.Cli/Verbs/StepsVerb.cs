using System.CommandLine;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Environments;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo step</c>: steps of test files, on an environment that is up.</summary>
internal static class StepsVerb
{
    private const int MaxLetters = 500_000;

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        WordsArgument steps = new("step", "Steps as they stand in test files, each in quotes; - reads a list of them from standard input");
        steps.HelpName = "step";
        steps.CompletionSources.Add(_ => KeptTargets.StepWords(host));
        Option<string?> on = new("--on") { Description = "The environment [default: the only one that is up]", HelpName = "environment" };
        on.CompletionSources.Add(_ => KeptTargets.EnvironmentNames(host));
        Option<string[]> files = new("--file", "-f") { Description = "Carry out the list of steps in a file first; - for standard input", HelpName = "file" };
        var verb = new Verb("step", "Carry out steps of test files on an environment that is up; faults stay until they are healed (exit code 11: a step failed)",
            "virtigo step 'link: {from: client, to: server, delay: 200ms, loss: 5%}'",
            "virtigo step 'power cut: server' 'start: server' 'client: {run: curl -sf http://server/, within: 60s}'",
            "virtigo step 'partition: {kind: one, side: server}' --on shop",
            "virtigo step 'heal: all'",
            "virtigo step 'screen text: server'",
            "virtigo step --file steps.yml --json | jq -r '.steps[].outcome'")
        {
            steps, on, files,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            List<StepText> texts = await ReadAsync(run.Value(steps)!, run.Value(files) ?? [], cancellationToken);
            RunningEnvironment environment = await new RunningEnvironments(host.Paths).FindAsync(run.Value(on), cancellationToken);
            return await RunAsync(run, environment, texts, Environment.CurrentDirectory, cancellationToken);
        });
        return verb;
    }

    public static Verb Screenshot(GlobalOptions options, CliHost host)
    {
        Argument<string> machine = KeptTargets.Machine(host);
        Argument<string?> file = new("file") { Description = "The picture (PNG) [default: MACHINE.png]", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> text = new("--text") { Description = "Print the text on the screen instead; it is read in the guest" };
        var verb = new Verb("screenshot", "Take a picture of the screen of a machine that is up, or print its text",
            "virtigo screenshot server",
            "virtigo screenshot server login.png",
            "virtigo screenshot server --text")
        {
            machine, file, text,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            (RunningEnvironment environment, string name) = await KeptTargets.FindAsync(run, run.Value(machine)!, cancellationToken);
            if (run.Value(text))
            {
                return await RunAsync(run, environment, [new StepText("screenshot", $"screen text: {name}")], Environment.CurrentDirectory, cancellationToken);
            }

            string picture = Path.GetFullPath(run.Value(file) ?? name + ".png");
            string step = $"screenshot: {{machine: {name}, to: \"{JsonEncodedText.Encode(Path.GetFileName(picture))}\"}}";
            int code = await RunAsync(run, environment, [new StepText("screenshot", step)], Path.GetDirectoryName(picture)!, cancellationToken);
            if (code == 0 && !run.Mode.Json)
            {
                run.People($"The screen of {name}: {picture}");
            }

            return code;
        });
        return verb;
    }

    private static async Task<List<StepText>> ReadAsync(string[] steps, string[] files, CancellationToken cancellationToken)
    {
        var texts = new List<StepText>();
        foreach (string file in files)
        {
            texts.Add(await ReadFileAsync(file, cancellationToken));
        }

        foreach ((int index, string step) in steps.Index())
        {
            texts.Add(step == "-" ? await ReadFileAsync(step, cancellationToken)
                : new StepText(steps.Length == 1 ? "step" : FormattableString.Invariant($"step {index + 1}"), step));
        }

        return texts.Count > 0 ? texts
            : throw new VirtigoException(FailureKind.Usage, "What is to be done?", "Give steps, each in quotes: virtigo step 'power cut: server'. Every step: docs/tests.md");
    }

    private static async Task<StepText> ReadFileAsync(string name, CancellationToken cancellationToken)
    {
        string shown = name == "-" ? "standard input" : name;
        try
        {
            await using Stream input = name == "-" ? Console.OpenStandardInput() : File.OpenRead(name);
            using var reader = new StreamReader(input);
            char[] text = new char[MaxLetters + 1];
            int length = await reader.ReadBlockAsync(text, cancellationToken);
            return length <= MaxLetters
                ? new StepText(shown, new string(text, 0, length))
                : throw new VirtigoException(FailureKind.Usage, $"{shown} has more than {MaxLetters} letters, so it is no list of steps.");
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Usage, $"{shown} cannot be read: {unreadable.Message}", "Give the path of a readable file.", unreadable);
        }
    }

    /// <summary>Carries steps out, shows what they say, and gives the exit code.</summary>
    public static async Task<int> RunAsync(
        Invocation run, RunningEnvironment environment, IReadOnlyList<StepText> texts, string folder, CancellationToken cancellationToken)
    {
        IReadOnlyList<StepCallResult> results;
        await using Stream output = run.Mode.Json ? Stream.Null : new DescriptorWriter(1);
        await using Stream error = run.Mode.Json ? Stream.Null : new DescriptorWriter(2);
        try
        {
            results = await environment.RunStepsAsync(texts,
                new StepCallOptions { Folder = folder, Output = output, Error = error, Progress = new Told(run) }, cancellationToken);
        }
        catch (IOException)
        {
            // Whoever read our output is gone, as with `| head`.
            return CallBridge.BrokenPipe;
        }

        if (run.Mode.Json)
        {
            run.Data(JsonSerializer.Serialize(new StepsReport([.. results.Select(Line)]), CliJson.Indented.StepsReport));
        }

        return results.FirstOrDefault(one => one.Failure is not null) is { Failure: { } failure } failed
            ? ErrorRenderer.Write(new VirtigoException(failure.Kind, $"{failed.Place}: {failure.Message}", failure.Hint), run.Host, run.Mode with { Json = false })
            : 0;
    }

    private static StepLine Line(StepCallResult step) => new(step.Number, step.Title, step.Place, step.Machines,
        step.Failure is not null ? "failed" : step.Elapsed is null ? "not run" : "passed",
        Math.Round(step.Elapsed?.TotalSeconds ?? 0, 3), step.Output, step.Error, step.Truncated)
    {
        Message = step.Failure?.Message,
        Hint = step.Failure?.Hint,
    };

    /// <summary>Tells of each of several steps when it is done.</summary>
    private sealed class Told(Invocation run) : IProgress<StepCallResult>
    {
        public void Report(StepCallResult value)
        {
            if (value is { Elapsed: { } elapsed, Failure: null } && run.Mode.Verbose)
            {
                run.People($"{Text.Plain(value.Title)}: ok, {Words.Time(elapsed)}");
            }
        }
    }
}
