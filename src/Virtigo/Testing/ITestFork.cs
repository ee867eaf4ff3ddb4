using Virtigo.Environments.Steps;

namespace Virtigo.Testing;

/// <summary>What a fork is wanted for.</summary>
/// <param name="Test">The test's title.</param>
/// <param name="Seed">Where what its links draw comes from.</param>
/// <param name="ArtifactsFolder">Where its files go, or null.</param>
internal sealed record ForkRequest(string Test, ulong Seed, string? ArtifactsFolder);

/// <summary>A running copy of the environment for one attempt at a test. Disposing it destroys it.</summary>
internal interface ITestFork : IAsyncDisposable
{
    /// <summary>The environment as steps use it.</summary>
    IStepTarget Target { get; }

    /// <summary>Opens a machine's console from the fork or its power-on; null while it is off.</summary>
    Stream? OpenConsole(string machine);

    /// <summary>The last lines a machine's console said.</summary>
    IReadOnlyList<string> ConsoleTail(string machine, int lines);

    /// <summary>What machines wanted of the world outside and were refused, one sentence each, a few at most.</summary>
    /// <param name="listedOnly">Whether only what they wanted of hosts that they may reach.</param>
    IReadOnlyList<string> Refusals(bool listedOnly) => [];

    /// <summary>Why a machine is gone through no fault of its own, in a sentence; null: none is.</summary>
    string? LostMachine();

    /// <summary>Keeps what is known of the machines: consoles, journals, pictures after a failure, and the files asked for.</summary>
    /// <param name="folder">The folder; it exists.</param>
    /// <param name="failed">Whether the test failed.</param>
    /// <param name="files">Files of machines, as <c>machine:/path</c>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    Task CollectAsync(string folder, bool failed, IReadOnlyList<string> files, CancellationToken cancellationToken);
}

/// <summary>What a person may do with the machines of a test, when there is a person.</summary>
internal sealed record TestHooks
{
    /// <summary>
    /// Takes over the fork of a failed test, which then lives on. Answers the commands that lead into it; null: it was not taken.
    /// </summary>
    public Func<ITestFork, string, CancellationToken, Task<IReadOnlyList<string>?>>? Keep { get; init; }

    /// <summary>Lets a person look into a fork that stands at a breakpoint, until they are done.</summary>
    public Func<ITestFork, string, Step, CancellationToken, Task>? Breakpoint { get; init; }
}
