using System.CommandLine;
using Virtigo.Environments;
using Virtigo.Machines;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo sysrq</c>: a command for a machine's kernel that works when little else does.</summary>
internal static class SysRqVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> machine = KeptTargets.Machine(host);
        Argument<string> command = new("command")
        {
            Description = $"A letter or digit, or one of: {string.Join(", ", Machine.SysRqNames)}",
            CompletionSources = { _ => Machine.SysRqNames },
        };
        var verb = new Verb("sysrq", "Give the kernel of a machine that is up a SysRq command, and show what it says",
            "virtigo sysrq server sync",
            "virtigo sysrq server memory        # what memory is used for; also tasks, blocked, backtrace",
            "virtigo sysrq server crash         # a kernel panic, as a test",
            "virtigo sysrq shop/server b        # any letter: b boots again, without sync")
        {
            machine, command,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            (RunningEnvironment environment, string name) = await KeptTargets.FindAsync(run, run.Value(machine)!, cancellationToken);
            return await StepsVerb.RunAsync(run, environment, [Step(name, run.Value(command)!)], Environment.CurrentDirectory, cancellationToken);
        });
        return verb;
    }

    /// <summary>Gives a command from a console, where the answer shows by itself; one that is refused is told there.</summary>
    public static async Task GiveAsync(Invocation run, RunningEnvironment environment, string machine, char key, CancellationToken cancellationToken)
    {
        IReadOnlyList<StepCallResult> results = await environment.RunStepsAsync([Step(machine, key.ToString())],
            new StepCallOptions { Folder = Environment.CurrentDirectory, Output = Stream.Null, Error = Stream.Null }, cancellationToken);
        if (results.FirstOrDefault(one => one.Failure is not null)?.Failure is { } failure)
        {
            run.People($"\r\n{failure.Message}\r");
        }
    }

    private static StepText Step(string machine, string command) =>
        new("sysrq", $"sysrq: {{machine: {machine}, key: \"{System.Text.Json.JsonEncodedText.Encode(command)}\"}}");
}
