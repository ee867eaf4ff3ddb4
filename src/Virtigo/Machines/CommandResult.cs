namespace Virtigo.Machines;

/// <summary>What a command in a machine did.</summary>
/// <param name="ExitCode">Its exit code; 128 + n when signal n ended it.</param>
/// <param name="Output">Its standard output, as UTF-8; bytes that are not are replaced.</param>
/// <param name="Error">Its standard error, likewise.</param>
/// <param name="Truncated">There was more output or error than was to be kept.</param>
/// <param name="Elapsed">How long it took, as seen from the host.</param>
public sealed record CommandResult(int ExitCode, string Output, string Error, bool Truncated, TimeSpan Elapsed)
{
    /// <summary>Whether the exit code is 0.</summary>
    public bool Succeeded => ExitCode == 0;
}
