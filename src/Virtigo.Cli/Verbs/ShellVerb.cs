using System.CommandLine;
using System.CommandLine.Parsing;
using Virtigo.Cli.Output;
using Virtigo.Environments;
using Virtigo.Machines;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo shell</c>: a shell, or a command, in a machine of an environment that is up.</summary>
internal static class ShellVerb
{
    // The user's own shell, as a login would start it.
    private const string LoginShell = "own=$(getent passwd \"$(id -u)\" 2>/dev/null | cut -d: -f7); exec \"${own:-/bin/sh}\" -l";

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> machine = KeptTargets.Machine(host);
        WordsArgument command = new("command", "A program and its arguments, after --; a single word is a shell command [default: a login shell]");
        Option<string?> user = new("--user") { Description = "The user in the machine [default: root]", HelpName = "name" };
        var verb = new Verb("shell", "Open a shell in a machine that is up, or run a command there; the exit code is its own",
            "virtigo shell server                                # a root shell",
            "virtigo shell shop/server --user www-data           # when several environments are up",
            "virtigo shell server -- journalctl -u nginx",
            "virtigo shell server -- 'ls /etc | wc -l'           # one word: for the machine's shell",
            "tar c site | virtigo shell server -- tar x -C /srv  # pipes go through")
        {
            machine, command, user,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            string[] words = Words(run, command);
            (RunningEnvironment environment, string name) = await KeptTargets.FindAsync(run, run.Value(machine)!, cancellationToken);
            bool terminal = CallBridge.OnTerminal;
            var how = new CommandOptions { User = run.Value(user), Terminal = terminal ? OwnTerminal(host) : null };
            await using GuestCall call = await environment.StartAsync(name, Arguments(words), how, cancellationToken);
            return await CallBridge.RunAsync(call, terminal, sysRq: null, cancellationToken) ?? 0;
        });
        return verb;
    }

    /// <summary>A misspelt option must not become a part of the command.</summary>
    private static string[] Words(Invocation run, WordsArgument command)
    {
        string[] words = run.Value(command)!;
        return words.FirstOrDefault(word => word.StartsWith('-')) is not { } option || run.Result.Tokens.Any(token => token.Type == TokenType.DoubleDash)
            ? words
            : throw new VirtigoException(FailureKind.Usage, $"There is no option '{option}'.", "What is meant for the command goes after --.");
    }

    private static string[] Arguments(string[] words) => words switch
    {
        [] => ["/bin/sh", "-c", LoginShell],
        [string script] => ["/bin/sh", "-c", script],
        _ => words,
    };

    private static TerminalOptions OwnTerminal(CliHost host)
    {
        (int columns, int rows) = Terminal.Size();
        return new TerminalOptions(host.Variable("TERM") is { Length: > 0 } type ? type : "dumb", columns, rows);
    }
}
