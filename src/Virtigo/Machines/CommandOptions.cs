using System.Collections.ObjectModel;

namespace Virtigo.Machines;

/// <summary>How a command runs in a machine. The defaults: as root, in <c>/</c>, no input, at most five minutes.</summary>
public sealed record CommandOptions
{
    /// <summary>The user's name or number in the guest; null for root.</summary>
    public string? User { get; init; }

    /// <summary>The folder in the guest; null for <c>/</c>, or the user's home when <see cref="User"/> is given.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Variables added to the guest's own (<c>PATH</c>, <c>HOME</c>, <c>USER</c>, <c>LANG</c>). Names have no <c>=</c>, nothing has a NUL.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>What the command reads; it sees the end after it. Not together with <see cref="InputStream"/>.</summary>
    public ReadOnlyMemory<byte> Input { get; init; }

    /// <summary>A stream that the command reads to its end, or null. It is not disposed.</summary>
    public Stream? InputStream { get; init; }

    /// <summary>
    /// How long the command may take on the reference machine, scaled to this host; after it the command and all it started are killed.
    /// </summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Called with output as it comes, one call at a time; true for the error stream. The memory is valid during the call. All output is
    /// passed on, whatever <see cref="OutputLimit"/> is; a slow callback slows the command down.
    /// </summary>
    public Action<ReadOnlyMemory<byte>, bool>? OnOutput { get; init; }

    /// <summary>The most that is kept of the output and of the error each, in bytes; of more, the beginning is kept.</summary>
    public int OutputLimit { get; init; } = 16 << 20;

    /// <summary>The terminal to run on, or null for pipes. On a terminal the error stream is part of the output.</summary>
    public TerminalOptions? Terminal { get; init; }
}

/// <summary>A terminal that a process in a machine runs on.</summary>
/// <param name="Type">The value of <c>TERM</c>, such as <c>xterm-256color</c>.</param>
/// <param name="Columns">Its width in characters, 1 to 65535.</param>
/// <param name="Rows">Its height in lines, 1 to 65535.</param>
public sealed record TerminalOptions(string Type, int Columns, int Rows);
