using System.Net.Sockets;
using Virtigo.Environments.Steps;
using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>An environment that another process keeps running (or this one), found by its name.</summary>
public sealed partial class RunningEnvironment
{
    private readonly KeptInfo _info;
    private readonly string _folder;

    internal RunningEnvironment(KeptInfo info, string folder) => (_info, _folder) = (info, folder);

    /// <summary>Its name.</summary>
    public string Name => _info.Name;

    /// <summary>The absolute path of the file that describes it.</summary>
    public string File => _info.File;

    /// <summary>The process that keeps it.</summary>
    public int ProcessId => _info.ProcessId;

    /// <summary>When it was started.</summary>
    public DateTimeOffset Since => _info.Since;

    /// <summary>The names of its machines, in the order of the file.</summary>
    public IReadOnlyList<string> MachineNames => _info.Machines;

    /// <summary>The words that steps begin with, besides the names of machines.</summary>
    public static IReadOnlyList<string> StepWords { get; } = [.. StepVerbs.All.Where(verb => !verb.Bare).Select(verb => verb.Name)];

    /// <summary>How it is now.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when it has just ended.</exception>
    public async Task<RunningStatus> StatusAsync(CancellationToken cancellationToken) =>
        (await AskAsync(new ControlRequest { Verb = ControlVerb.Status }, cancellationToken)).Status ?? throw Gone(null);

    /// <summary>Destroys it, and waits until nothing of it is left. One that has just ended is no error.</summary>
    public async Task DownAsync(CancellationToken cancellationToken)
    {
        try
        {
            await AskAsync(new ControlRequest { Verb = ControlVerb.Down }, cancellationToken);
        }
        catch (VirtigoException gone) when (gone.Kind == FailureKind.Guest)
        {
            // It is what was wanted.
        }
    }

    /// <summary>Switches a machine, and waits until that is done.</summary>
    /// <param name="machine">Its name.</param>
    /// <param name="order">What is to happen.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="VirtigoException">The machine cannot, or the environment is gone.</exception>
    public Task PowerAsync(string machine, PowerOrder order, CancellationToken cancellationToken) =>
        AskAsync(new ControlRequest { Verb = ControlVerb.Power, Machine = machine, Power = order }, cancellationToken);

    /// <summary>Starts a program in a machine.</summary>
    /// <param name="machine">The machine's name.</param>
    /// <param name="arguments">The program, looked up in the guest's <c>PATH</c>, and its arguments.</param>
    /// <param name="options">How it runs: user, folder, variables and terminal count.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="VirtigoException">It cannot be started, or the environment is gone.</exception>
    public Task<GuestCall> StartAsync(string machine, IReadOnlyList<string> arguments, CommandOptions options, CancellationToken cancellationToken) =>
        OpenAsync(new ControlRequest
        {
            Verb = ControlVerb.Start,
            Machine = machine,
            Arguments = arguments,
            User = options.User,
            Folder = options.WorkingDirectory,
            Environment = options.Environment.Count > 0 ? options.Environment : null,
            Terminal = options.Terminal?.Type,
            Columns = options.Terminal?.Columns ?? 0,
            Rows = options.Terminal?.Rows ?? 0,
        }, cancellationToken);

    /// <summary>Connects to a TCP port of a machine, from within the machine.</summary>
    /// <param name="machine">The machine's name.</param>
    /// <param name="port">The port, 1 to 65535.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">Nothing listens there, or the environment is gone.</exception>
    public Task<GuestCall> ConnectAsync(string machine, int port, CancellationToken cancellationToken) =>
        OpenAsync(new ControlRequest { Verb = ControlVerb.Connect, Machine = machine, Port = port }, cancellationToken);

    /// <summary>Opens a machine's console: it begins with what it said before, what is written is typed, and it ends with the power-on.</summary>
    /// <param name="machine">The machine's name.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">The machine is off, or the environment is gone.</exception>
    public Task<GuestCall> OpenConsoleAsync(string machine, CancellationToken cancellationToken) =>
        OpenAsync(new ControlRequest { Verb = ControlVerb.Console, Machine = machine }, cancellationToken);

    /// <summary>The last lines of a machine's console that are not empty, without control characters.</summary>
    /// <param name="machine">The machine's name.</param>
    /// <param name="lines">How many at most, 1 to 100000.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">The environment is gone.</exception>
    public async Task<string> ConsoleTailAsync(string machine, int lines, CancellationToken cancellationToken) =>
        (await AskAsync(new ControlRequest { Verb = ControlVerb.ConsoleTail, Machine = machine, Lines = lines }, cancellationToken)).Text ?? "";

    /// <summary>Starts a machine's SSH server on the call's own streams, without a network; for <c>ProxyCommand</c>.</summary>
    /// <param name="machine">The machine's name.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">The machine has no SSH server, the host no <c>ssh-keygen</c>, or the environment is gone.</exception>
    public async Task<GuestCall> OpenSshAsync(string machine, CancellationToken cancellationToken)
    {
        await AskAsync(new ControlRequest { Verb = ControlVerb.Ssh, Machine = machine }, cancellationToken);
        return await StartAsync(machine, SshAccess.ServerCommand, new CommandOptions(), cancellationToken);
    }

    /// <summary>A block for an SSH client's configuration, which makes every machine a host of its name. The keys it names are made.</summary>
    /// <param name="command">The command that joins standard input and output to a machine's SSH server; <c>environment/machine</c> is appended.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">The host has no <c>ssh-keygen</c>, or the environment is gone.</exception>
    public async Task<string> SshConfigAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        await AskAsync(new ControlRequest { Verb = ControlVerb.Ssh }, cancellationToken);
        return SshAccess.ClientConfig(_folder, Name, MachineNames, command);
    }

    /// <summary>
    /// Carries out steps of the vocabulary of test files, one after the other until one fails, in the process that keeps the environment: the
    /// faults they make stay until they are healed.
    /// </summary>
    /// <param name="steps">The steps; each text is one step, or a list of them.</param>
    /// <param name="options">Where their files and output go.</param>
    /// <param name="cancellationToken">Ends the step under way; none after it begins.</param>
    /// <returns>What became of each. Only the last that ran can have failed.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when a text is no step, with the place; else the environment is gone.</exception>
    public async Task<IReadOnlyList<StepCallResult>> RunStepsAsync(IReadOnlyList<StepText> steps, StepCallOptions options, CancellationToken cancellationToken)
    {
        IReadOnlyList<Step> read = StepReader.ReadTexts(steps, MachineNames);
        var request = new ControlRequest { Verb = ControlVerb.Steps, Steps = steps, Folder = Path.GetFullPath(options.Folder) };
        await using ControlWire wire = (await RequestAsync(request, cancellationToken)).Wire;
        try
        {
            return await new StepCall(wire, read, options).RunAsync(cancellationToken);
        }
        catch (InvalidDataException wrong)
        {
            throw Nonsense(wrong);
        }
        catch (IOException gone) when (gone.InnerException is SocketException)
        {
            throw Gone(gone);
        }
    }

    internal static VirtigoException Nonsense(InvalidDataException wrong) =>
        new(FailureKind.Internal, $"The keeper of the environment sent {wrong.Message}.", inner: wrong);

    internal static VirtigoException Gone(Exception? inner) =>
        new(FailureKind.Guest, "The environment is gone: it was ended, or its keeper was killed.", "See what is up: virtigo ps", inner);

    private async Task<ControlAnswer> AskAsync(ControlRequest request, CancellationToken cancellationToken)
    {
        (ControlWire wire, ControlAnswer answer) = await RequestAsync(request, cancellationToken);
        await wire.DisposeAsync();
        return answer;
    }

    private async Task<GuestCall> OpenAsync(ControlRequest request, CancellationToken cancellationToken) =>
        new((await RequestAsync(request, cancellationToken)).Wire);

    private async Task<(ControlWire Wire, ControlAnswer Answer)> RequestAsync(ControlRequest request, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        ControlWire? wire = null;
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(KeptPlace.Socket(_folder)), cancellationToken);
            wire = new ControlWire(new NetworkStream(socket, ownsSocket: true));
            await wire.SendAsync(ControlFrameType.Request, request, ControlJson.Default.ControlRequest, cancellationToken);
            ControlFrame frame = await wire.ReadAsync(cancellationToken) ?? throw Gone(null);
            ControlAnswer answer = ControlWire.Message(frame, ControlFrameType.Answer, ControlJson.Default.ControlAnswer);
            return answer.Error is { } error ? throw error.ToException() : (wire, answer);
        }
        catch (Exception failure) when (failure is SocketException or IOException)
        {
            await CloseAsync(socket, wire);
            throw Gone(failure);
        }
        catch (InvalidDataException wrong)
        {
            await CloseAsync(socket, wire);
            throw Nonsense(wrong);
        }
        catch
        {
            await CloseAsync(socket, wire);
            throw;
        }
    }

    private static async ValueTask CloseAsync(Socket socket, ControlWire? wire)
    {
        socket.Dispose();
        if (wire is not null)
        {
            await wire.DisposeAsync();
        }
    }
}
