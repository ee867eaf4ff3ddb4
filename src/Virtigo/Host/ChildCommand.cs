using System.Runtime.InteropServices;

namespace Virtigo.Host;

/// <summary>A program to run and how.</summary>
/// <param name="Program">Its name, looked up like a shell would (and in the <c>sbin</c> folders), or its path.</param>
/// <param name="Arguments">Its arguments.</param>
internal sealed record ChildCommand(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>The folder to run in; null for ours.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Variables set for it, besides ours.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>The owner writes to the program's standard input; otherwise it is empty.</summary>
    public bool PipeInput { get; init; }

    /// <summary>The owner reads the program's standard output, and must; otherwise it is kept with the errors.</summary>
    public bool PipeOutput { get; init; }

    /// <summary>Descriptors of ours that it has too, under the same numbers.</summary>
    public IReadOnlyList<SafeHandle> Inherited { get; init; } = [];

    /// <summary>
    /// It starts processes that outlive it. All of them are killed when it ends and when we end. Its standard input is then not for it to read.
    /// </summary>
    public bool LeavesProcesses { get; init; }

    /// <summary>It stops itself before the program begins, until <see cref="ChildProcess.Continue"/>.</summary>
    public bool StartStopped { get; init; }

    /// <summary>The command, quoted for a shell.</summary>
    public override string ToString()
    {
        string command = ShellQuote.Command(Program, Arguments);
        if (Environment.Count > 0)
        {
            command = ShellQuote.Command("env", Environment.Select(pair => $"{pair.Key}={pair.Value}")) + " " + command;
        }

        return WorkingDirectory is null ? command : $"cd {ShellQuote.Word(WorkingDirectory)} && {command}";
    }
}
