using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Reflection;
using Virtigo.Cli.Verbs;

namespace Virtigo.Cli;

/// <summary>The command: its verbs, its options, its exit codes.</summary>
internal static class CommandLine
{
    private const string ExitCodes = """
        Exit codes:
          0    done                          7    the installer waits for an answer
          1    a defect of Virtigo           8    the guest died
          2    bad argument, key or value    9    the image did not pass its boot test
          3    the host lacks something      10   a time limit passed
          4    archive out of reach          11   a test failed
          5    not signed, or a wrong hash   130  interrupted
          6    the installer reported a failure
        """;

    // A guest gets this long to be taken down after Ctrl-C.
    private static readonly TimeSpan s_cleanUp = TimeSpan.FromSeconds(20);

    /// <summary>The version of this build, without the commit behind it.</summary>
    public static string Version { get; } =
        typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, CliHost host)
    {
        if (arguments is ["--version"])
        {
            host.Data.WriteLine(Version);
            return 0;
        }

        RootCommand root = Build(host);
        ParseResult parsed = root.Parse(arguments);
        if (parsed.Action is ParseErrorAction)
        {
            return WriteParseErrors(parsed, host);
        }

        return await parsed.InvokeAsync(new InvocationConfiguration
        {
            Output = host.Data,
            Error = host.People,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = s_cleanUp,
        });
    }

    /// <summary>The whole tree of verbs.</summary>
    public static RootCommand Build(CliHost host)
    {
        var options = new GlobalOptions();
        var root = new RootCommand("Whole Linux machines, installed by their own installer, isolated and thrown away after use.")
        {
            BuildVerb.Make(options, host),
            RunVerb.Make(options, host),
            TestVerb.Make(options, host),
            TryVerb.Make(options, host),
            UpVerb.Make(options, host),
            PsVerb.Make(options, host),
            ShellVerb.Make(options, host),
            SshVerb.Make(options, host),
            ConsoleVerb.Logs(options, host),
            ConsoleVerb.Console(options, host),
            CopyVerb.Make(options, host),
            StepsVerb.Make(options, host),
            StepsVerb.Screenshot(options, host),
            SysRqVerb.Make(options, host),
            DownVerb.Power(options, host),
            DownVerb.Make(options, host),
            UpVerb.Keep(options, host),
            SshVerb.ConnectVerb(options, host),
            ExplainVerb.Make(options, host),
            LockVerbs.Lock(options, host),
            LockVerbs.Bundle(options, host),
            LockVerbs.Unbundle(options, host),
            ImagesVerb.Make(options, host),
            BootLoaderVerbs.Make(options, host),
            DoctorVerb.Make(options, host),
            ProfileVerbs.Make(options, host),
            InferVerb.Make(options, host),
            LintPreseedVerb.Make(options, host),
            SchemaVerb.Make(options, host),
            CompletionVerb.Make(options, host),
            VersionVerb.Make(options, host),
            options.Offline,
            options.AllowExpired,
            options.Verbose,
            options.Json,
        };
        RefuseOptionsAsArguments(root);
        foreach (HelpOption help in root.Options.OfType<HelpOption>())
        {
            help.Action = new HelpWithExamples((HelpAction)help.Action!);
        }

        return root;
    }

    /// <summary>A misspelt option would else be taken for the name of a file or an image.</summary>
    private static void RefuseOptionsAsArguments(Command command)
    {
        foreach (Argument argument in command.Arguments.Where(argument => argument is not WordsArgument))
        {
            argument.Validators.Add(result =>
            {
                if (result.Tokens.FirstOrDefault(token => token.Value.Length > 1 && token.Value[0] == '-') is { } option)
                {
                    result.AddError($"There is no option '{option.Value}'.");
                }
            });
        }

        foreach (Command below in command.Subcommands)
        {
            RefuseOptionsAsArguments(below);
        }
    }

    private static int WriteParseErrors(ParseResult parsed, CliHost host)
    {
        foreach (string message in parsed.Errors.Select(error => error.Message).Distinct())
        {
            host.People.WriteLine("error: " + message);
        }

        string path = string.Join(' ', Path(parsed.CommandResult.Command).Reverse());
        host.People.WriteLine($"hint: {path} --help");
        return (int)FailureKind.Usage;
    }

    private static IEnumerable<string> Path(Symbol symbol)
    {
        for (Symbol? at = symbol; at is not null; at = at.Parents.FirstOrDefault())
        {
            yield return at is RootCommand ? "virtigo" : at.Name;
        }
    }

    /// <summary>The usual help, then the verb's examples; at the root, the exit codes.</summary>
    private sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int code = usual.Invoke(parseResult);
            TextWriter output = parseResult.InvocationConfiguration.Output;
            switch (parseResult.CommandResult.Command)
            {
                case Verb { Examples.Count: > 0 } verb:
                    output.WriteLine("Examples:");
                    foreach (string example in verb.Examples)
                    {
                        output.WriteLine("  " + example);
                    }

                    output.WriteLine();
                    break;
                case RootCommand:
                    output.WriteLine("Examples:\n  virtigo build web.yml\n  virtigo run web\n  virtigo up shop.yml\n  virtigo shell server\n");
                    output.WriteLine(ExitCodes + "\n");
                    break;
            }

            return code;
        }
    }
}
