using Virtigo.Machines;

namespace Virtigo.Xunit;

/// <summary>What the output of a failed test says of a machine.</summary>
internal static class ConsoleReport
{
    /// <summary>One machine, with its console's last lines indented.</summary>
    /// <param name="machine">Its name.</param>
    /// <param name="state">Whether it runs.</param>
    /// <param name="tail">The lines, without control characters; empty for none.</param>
    public static string Of(string machine, MachineState state, string tail)
    {
        string now = state switch
        {
            MachineState.Off => "is off",
            MachineState.Paused => "is paused",
            _ => "runs",
        };
        return tail.Length == 0
            ? $"{machine} {now}; its console said nothing."
            : $"{machine} {now}; its console said last:\n  {tail.Replace("\n", "\n  ", StringComparison.Ordinal)}";
    }
}
