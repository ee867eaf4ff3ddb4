using Virtigo.Host;

namespace Virtigo.Machines;

public sealed partial class Machine
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(60);

    /// <summary>Runs a shell command, as root, for at most five minutes, and returns its result whatever its exit code.</summary>
    /// <param name="command">For <c>/bin/sh -c</c>.</param>
    /// <param name="cancellationToken">Kills the command.</param>
    /// <inheritdoc cref="ExecuteAsync(string, CommandOptions, CancellationToken)" path="/exception"/>
    public Task<CommandResult> ExecuteAsync(string command, CancellationToken cancellationToken) =>
        ExecuteAsync(command, new CommandOptions(), cancellationToken);

    /// <summary>Runs a shell command and returns its result whatever its exit code. A machine that still boots is waited for first.</summary>
    /// <param name="command">For <c>/bin/sh -c</c>.</param>
    /// <param name="options">How it runs.</param>
    /// <param name="cancellationToken">Kills the command.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.TimedOut"/> after the limit, <see cref="FailureKind.Guest"/> when the machine is off, ends, or breaks its channel,
    /// <see cref="FailureKind.Usage"/> for options that cannot be.
    /// </exception>
    public async Task<CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken)
    {
        const int said = 1000;
        MachineRun run = Running();
        IGuestShell shell = await ShellAsync(run, cancellationToken);
        var last = new ByteTail(said);
        CommandOptions watched = options with
        {
            OnOutput = (bytes, isError) =>
            {
                lock (last)
                {
                    last.Append(bytes.Span);
                }

                options.OnOutput?.Invoke(bytes, isError);
            },
        };
        return await WithinAsync(run, options.Limit, token => StartedAsync(run, shell, command, watched, token),
            waited => $"{Name}: \"{command}\" did not end within {waited.TotalSeconds:0} s and was killed.{LastSaid(last)}", cancellationToken);
    }

    /// <summary>Runs a shell command that must succeed, as root, for at most five minutes.</summary>
    /// <param name="command">For <c>/bin/sh -c</c>.</param>
    /// <param name="cancellationToken">Kills the command.</param>
    /// <returns>Its output without the last line end.</returns>
    /// <exception cref="MachineCommandException">Its exit code is not 0.</exception>
    /// <inheritdoc cref="ExecuteAsync(string, CommandOptions, CancellationToken)" path="/exception"/>
    public Task<string> RunAsync(string command, CancellationToken cancellationToken) =>
        RunAsync(command, new CommandOptions(), cancellationToken);

    /// <summary>Runs a shell command that must succeed.</summary>
    /// <param name="command">For <c>/bin/sh -c</c>.</param>
    /// <param name="options">How it runs.</param>
    /// <param name="cancellationToken">Kills the command.</param>
    /// <returns>Its output without the last line end.</returns>
    /// <exception cref="MachineCommandException">Its exit code is not 0.</exception>
    /// <inheritdoc cref="ExecuteAsync(string, CommandOptions, CancellationToken)" path="/exception"/>
    public async Task<string> RunAsync(string command, CommandOptions options, CancellationToken cancellationToken)
    {
        CommandResult result = await ExecuteAsync(command, options, cancellationToken);
        string output = result.Output;
        return !result.Succeeded ? throw new MachineCommandException(Name, command, result, expectedFailure: false)
            : output.EndsWith('\n') ? output[..^1]
            : output;
    }

    /// <summary>Runs a shell command that must not succeed, as root, for at most five minutes.</summary>
    /// <param name="command">For <c>/bin/sh -c</c>.</param>
    /// <param name="cancellationToken">Kills the command.</param>
    /// <exception cref="MachineCommandException">Its exit code is 0.</exception>
    /// <inheritdoc cref="ExecuteAsync(string, CommandOptions, CancellationToken)" path="/exception"/>
    public async Task<CommandResult> FailAsync(string command, CancellationToken cancellationToken)
    {
        CommandResult result = await ExecuteAsync(command, cancellationToken);
        return result.Succeeded ? throw new MachineCommandException(Name, command, result, expectedFailure: true) : result;
    }

    /// <summary>Starts a shell command and returns its streams.</summary>
    /// <param name="command">For <c>/bin/sh -c</c>.</param>
    /// <param name="options">How it runs; its input, callback and limits have no meaning here.</param>
    /// <param name="cancellationToken">Ends the start; a process that was returned is not affected.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Guest"/> when it cannot be started, the machine is off or ends, or its guest has no perl.
    /// </exception>
    public Task<GuestProcess> StartProcessAsync(string command, CommandOptions options, CancellationToken cancellationToken) =>
        StartProcessAsync(["/bin/sh", "-c", command], options, cancellationToken);

    /// <summary>Starts a program and returns its streams.</summary>
    /// <param name="arguments">The program, looked up in the guest's <c>PATH</c>, and its arguments.</param>
    /// <param name="options">How it runs; its input, callback and limits have no meaning here.</param>
    /// <param name="cancellationToken">Ends the start; a process that was returned is not affected.</param>
    /// <inheritdoc cref="StartProcessAsync(string, CommandOptions, CancellationToken)" path="/exception"/>
    public async Task<GuestProcess> StartProcessAsync(IReadOnlyList<string> arguments, CommandOptions options, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfZero(arguments.Count);
        MachineRun run = Running();
        IGuestShell shell = await ShellAsync(run, cancellationToken);
        return await WithinAsync(run, s_startLimit, token => shell.StartAsync(arguments, options, token),
            waited => $"{Name}: \"{arguments[0]}\" was not started within {waited.TotalSeconds:0} s.", cancellationToken);
    }

    /// <summary>Connects to a TCP port of the machine, from within the machine: on its loopback addresses, else on its own.</summary>
    /// <param name="port">The port, 1 to 65535.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The connection. Use its asynchronous members; disposing it closes it.</returns>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Guest"/> when nothing listens there, the machine is off or ends, or its guest has no perl.
    /// </exception>
    public Task<Stream> ConnectAsync(int port, CancellationToken cancellationToken) => ConnectToAsync(Port(port), cancellationToken);

    /// <summary>Connects to a unix socket of the machine, from within the machine, as its root.</summary>
    /// <param name="socketPath">The socket's absolute path.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <inheritdoc cref="ConnectAsync(int, CancellationToken)"/>
    public Task<Stream> ConnectAsync(string socketPath, CancellationToken cancellationToken) =>
        socketPath.StartsWith('/')
            ? ConnectToAsync(socketPath, cancellationToken)
            : throw new VirtigoException(FailureKind.Usage, $"The socket \"{socketPath}\" in machine {Name} is not an absolute path.", "Write it from / on.");

    private async Task<Stream> ConnectToAsync(string target, CancellationToken cancellationToken)
    {
        MachineRun run = Running();
        IGuestShell shell = await ShellAsync(run, cancellationToken);
        return await WithinAsync(run, s_startLimit, token => shell.ConnectAsync(target, token),
            waited => $"{Name}: {target} did not answer within {waited.TotalSeconds:0} s.", cancellationToken);
    }

    /// <summary>Runs a command; one that got lost in a reboot before it was started is given once more when the machine is back.</summary>
    private static async Task<CommandResult> StartedAsync(
        MachineRun run, IGuestShell shell, string command, CommandOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return await shell.ExecuteAsync(command, options, cancellationToken);
        }
        catch (CommandNotStartedException)
        {
            IGuestShell anew = await run.ShellAsync(cancellationToken);
            try
            {
                return await anew.ExecuteAsync(command, options, cancellationToken);
            }
            catch (CommandNotStartedException error)
            {
                throw new VirtigoException(FailureKind.Guest, error.Message, inner: error);
            }
        }
    }

    private static string LastSaid(ByteTail tail)
    {
        lock (tail)
        {
            string said = ConsoleText.Printable(tail.ToString()).Trim();
            return said.Length == 0 ? " It printed nothing." : $" It printed last:\n{said}";
        }
    }
}
