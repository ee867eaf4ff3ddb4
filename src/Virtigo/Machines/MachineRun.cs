using Virtigo.Hypervisors;

namespace Virtigo.Machines;

/// <summary>A machine from one power-on to the next power-off: its guest, its console, and the way commands get in.</summary>
internal sealed class MachineRun : IAsyncDisposable
{
    private readonly MachineConfig _config;
    private readonly SemaphoreSlim _connecting = new(1);
    private readonly Task _reading;
    private readonly GuestAgent? _agent;
    private IGuestShell? _shell;

    /// <summary>Takes a guest over and begins to read its console.</summary>
    public MachineRun(MachineConfig config, IGuest guest)
    {
        (_config, Guest) = (config, guest);
        _agent = guest.Agent is { } channel ? new GuestAgent(channel, config.Clock) : null;
        _reading = Task.Run(() => Console.ReadAsync(guest.OpenSerial(config.Console)));
    }

    /// <summary>The guest.</summary>
    public IGuest Guest { get; }

    /// <summary>What its console said.</summary>
    public ConsoleLog Console { get; } = new();

    /// <summary>Whether we stopped its processors.</summary>
    public bool Paused { get; set; }

    /// <summary>The way in, once the guest answers.</summary>
    public async Task<IGuestShell> ShellAsync(CancellationToken cancellationToken)
    {
        await _connecting.WaitAsync(cancellationToken);
        try
        {
            return _shell ??= await ConnectAsync(cancellationToken);
        }
        finally
        {
            _connecting.Release();
        }
    }

    /// <summary>Ends the guest.</summary>
    public async ValueTask DisposeAsync()
    {
        await Guest.DisposeAsync();
        if (_shell is not null)
        {
            await _shell.DisposeAsync();
        }

        await _reading;
        _agent?.Dispose();
        _connecting.Dispose();
    }

    private async Task<IGuestShell> ConnectAsync(CancellationToken cancellationToken)
    {
        if (_agent is null)
        {
            throw new VirtigoException(FailureKind.Usage, $"Machine {_config.Name} has no agent channel, so no command can be run in it.");
        }

        await _agent.WaitAsync(cancellationToken);
        return new AgentShell(_agent, _config.Clock);
    }
}
