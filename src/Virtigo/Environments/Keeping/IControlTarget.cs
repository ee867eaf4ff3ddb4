using Virtigo.Environments.Steps;
using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>A kept environment as its control socket sees it.</summary>
internal interface IControlTarget
{
    /// <summary>How it is.</summary>
    RunningStatus Status();

    /// <summary>Switches a machine, and waits until that is done.</summary>
    Task PowerAsync(string machine, PowerOrder order, CancellationToken cancellationToken);

    /// <summary>Starts a program in a machine.</summary>
    Task<GuestProcess> StartAsync(string machine, IReadOnlyList<string> arguments, CommandOptions options, CancellationToken cancellationToken);

    /// <summary>Connects to a TCP port of a machine, from within.</summary>
    Task<Stream> ConnectAsync(string machine, int port, CancellationToken cancellationToken);

    /// <summary>Opens a machine's console.</summary>
    Stream OpenConsole(string machine);

    /// <summary>The last lines of a machine's console.</summary>
    string ConsoleTail(string machine, int lines);

    /// <summary>What a step runs with.</summary>
    /// <param name="folder">The folder of its files on the host.</param>
    /// <param name="output">Where what its command prints goes.</param>
    StepContext Steps(string folder, StepOutput output);

    /// <summary>Makes the keys for SSH, and when a machine is given, makes it ready for SSH through its channel.</summary>
    Task PrepareSshAsync(string? machine, CancellationToken cancellationToken);
}
