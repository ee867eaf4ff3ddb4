namespace Virtigo.Environments;

/// <summary>Steps of the vocabulary of test files, as somebody gave them.</summary>
/// <param name="Source">What to call them in messages, such as a file.</param>
/// <param name="Yaml">One step, or a list of steps.</param>
public sealed record StepText(string Source, string Yaml);

/// <summary>How steps are carried out in a kept environment.</summary>
public sealed record StepCallOptions
{
    /// <summary>The host's folder below which what they copy in lies, and into which goes what they copy out. Default: the current one.</summary>
    public string Folder { get; init; } = Environment.CurrentDirectory;

    /// <summary>Gets what their commands write, as it comes; of a command that is tried several times, what the last attempt wrote. Not disposed.</summary>
    public Stream Output { get; init; } = Stream.Null;

    /// <summary>Gets what their commands write to their standard error. Not disposed.</summary>
    public Stream Error { get; init; } = Stream.Null;

    /// <summary>Told of each step when it begins and when it has ended; null for nobody.</summary>
    public IProgress<StepCallResult>? Progress { get; init; }
}

/// <summary>What became of a step in a kept environment.</summary>
/// <param name="Number">Its number, from 1.</param>
/// <param name="Title">What a person wrote, on one line.</param>
/// <param name="Place">Where it is written, as <c>source:line:column</c>.</param>
/// <param name="Machines">The machines it is about.</param>
public sealed record StepCallResult(int Number, string Title, string Place, IReadOnlyList<string> Machines)
{
    /// <summary>How long it took; null: it has not ended, or an earlier one failed.</summary>
    public TimeSpan? Elapsed { get; init; }

    /// <summary>Why it failed, with the kind <see cref="FailureKind.Test"/> when what was expected did not come true; null: it did not fail.</summary>
    public VirtigoException? Failure { get; init; }

    /// <summary>The last 64 KiB of what its command wrote to its standard output.</summary>
    public string Output { get; init; } = "";

    /// <summary>The last 64 KiB of what its command wrote to its standard error.</summary>
    public string Error { get; init; } = "";

    /// <summary>Whether there was more of either.</summary>
    public bool Truncated { get; init; }
}
