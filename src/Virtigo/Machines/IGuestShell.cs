namespace Virtigo.Machines;

/// <summary>A way to run commands in a guest: the stream channel, the agent alone, or the serial console.</summary>
internal interface IGuestShell : IAsyncDisposable
{
    /// <summary>Runs a shell command to its end. Limits of time are the caller's; giving up kills the command where that is possible.</summary>
    /// <param name="command">For <c>/bin/sh -c</c>.</param>
    /// <param name="options">How it runs.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the way to the guest broke.</exception>
    Task<CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken);

    /// <summary>Starts a process and returns at once.</summary>
    /// <param name="arguments">The program and its arguments; looked up in <c>PATH</c>.</param>
    /// <param name="options">How it runs; input, callback and limits have no meaning here.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Guest"/> when the program cannot be started, the way to the guest broke, or it carries no streams.
    /// </exception>
    Task<GuestProcess> StartAsync(IReadOnlyList<string> arguments, CommandOptions options, CancellationToken cancellationToken);

    /// <summary>Connects to something in the guest, from within the guest.</summary>
    /// <param name="target">A TCP port of the guest itself, or the absolute path of a unix socket.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when nothing answers, or the way to the guest carries no streams.</exception>
    Task<Stream> ConnectAsync(string target, CancellationToken cancellationToken);

    /// <summary>Waits until a condition holds in the guest.</summary>
    /// <param name="condition">What to wait for.</param>
    /// <param name="seen">Told the state each time it changes, in a few words.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the way to the guest broke, or the condition cannot come true.</exception>
    Task WaitAsync(GuestCondition condition, Action<string> seen, CancellationToken cancellationToken);
}
