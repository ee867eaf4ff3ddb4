using System.Text;

namespace Virtigo.Machines;

/// <summary>A command in a machine did not end as it was expected to. The machine itself is well.</summary>
public sealed class MachineCommandException : Exception
{
    private const int TailLength = 2000;

    internal MachineCommandException(string machine, string command, CommandResult result, bool expectedFailure)
        : base(Describe(machine, command, result, expectedFailure)) =>
        (Machine, Command, Result) = (machine, command, result);

    /// <summary>The machine's name.</summary>
    public string Machine { get; }

    /// <summary>The command.</summary>
    public string Command { get; }

    /// <summary>What the command did.</summary>
    public CommandResult Result { get; }

    private static string Describe(string machine, string command, CommandResult result, bool expectedFailure)
    {
        var text = new StringBuilder();
        text.Append(machine).Append(": \"").Append(Tail(command)).Append(expectedFailure
            ? "\" succeeded, but was to fail."
            : FormattableString.Invariant($"\" ended with exit code {result.ExitCode}{Meaning(result.ExitCode)}."));
        string said = Tail(result.Error.Trim().Length > 0 && !expectedFailure ? result.Error : result.Output);
        return said.Length == 0 ? text.ToString() : text.Append(" It said last:\n").Append(said).ToString();
    }

    private static string Meaning(int code) => code switch
    {
        126 => " (it cannot be executed)",
        127 => " (no such command in the guest)",
        > 128 and <= 128 + 64 => FormattableString.Invariant($" (ended by signal {code - 128})"),
        _ => "",
    };

    private static string Tail(string text) => ConsoleText.Printable(text.Trim() is { Length: > TailLength } longer ? "..." + longer[^TailLength..] : text.Trim());
}
