using System.Text;

namespace Virtigo.Hypervisors.Uml;

/// <summary>One guest in one User-Mode Linux of ours.</summary>
internal sealed class UmlGuest : IGuest
{
    private readonly GuestConfig _config;
    private readonly UmlLaunch _launch;
    private readonly ManagementConsole _console;
    private readonly SemaphoreSlim _turn = new(1);
    private bool _isHeld;
    private volatile bool _killed;
    private volatile bool _asked;

    private UmlGuest(GuestConfig config, UmlLaunch launch)
    {
        (_config, _launch, _isHeld) = (config, launch, config.StartPaused);
        _console = new ManagementConsole(UmlCommandLine.ConsoleSocket(config), UmlCommandLine.AnswerSocket(config), launch.Child.Exited);
        Exited = WatchAsync();
    }

    /// <inheritdoc/>
    public int ProcessId => _launch.Child.Id;

    /// <inheritdoc/>
    public Task<GuestExit> Exited { get; }

    /// <inheritdoc/>
    public Stream? Agent => _launch.Agent;

    /// <inheritdoc/>
    // A terminal holds 4 KiB for its reader; with 128 bytes of room left the kernel stops reading the line, and never begins again.
    public int AgentRequestLimit => 3584;

    /// <inheritdoc/>
    public Stream? Channel => null;

    /// <summary>Starts a guest; unless it is to stay paused, it runs when this returns.</summary>
    public static async Task<UmlGuest> StartAsync(GuestConfig config, CancellationToken cancellationToken)
    {
        GuestConfigCheck.Check(UmlHypervisor.KindName, UmlHypervisor.Abilities, config);
        UmlConfigCheck.Check(config);
        UmlCommandLine.CheckSockets(config);
        return new UmlGuest(config, await UmlLaunch.StartAsync(config, cancellationToken));
    }

    /// <inheritdoc/>
    public Stream OpenSerial(string name) => Port(name).Open();

    /// <inheritdoc/>
    public Task PowerButtonAsync(CancellationToken cancellationToken) => InTurnAsync(async () =>
    {
        _asked = true;
        File.Delete(UmlCommandLine.KernelLink(_config));
        await CommandAsync("The power button cannot be pressed", "cad", cancellationToken);
    }, cancellationToken);

    /// <inheritdoc/>
    public Task ResetAsync(CancellationToken cancellationToken) => CommandAsync("The reset button cannot be pressed", "reboot", cancellationToken);

    /// <inheritdoc/>
    public Task PauseAsync(CancellationToken cancellationToken) => InTurnAsync(async () =>
    {
        if (!_isHeld)
        {
            // One that is paused says so, and that it is an error.
            await _console.ExecuteAsync("The guest cannot be paused", "stop", cancellationToken);
        }
    }, cancellationToken);

    /// <inheritdoc/>
    public Task ResumeAsync(CancellationToken cancellationToken) => InTurnAsync(async () =>
    {
        if (!_isHeld)
        {
            await _console.ExecuteAsync("The guest cannot go on", "go", cancellationToken);
        }
        else if (Exited.IsCompleted)
        {
            throw new VirtigoException(FailureKind.Guest, "The guest cannot go on: the guest has ended.");
        }
        else
        {
            _isHeld = false;
            _launch.Child.Continue();
            await UmlLaunch.AwaitKernelAsync(_config, _launch.Child, cancellationToken);
        }
    }, cancellationToken);

    /// <inheritdoc/>
    public Task SaveStateAsync(string path, CancellationToken cancellationToken) => Task.FromException(Cannot("fork"));

    /// <inheritdoc/>
    public Task SendKeysAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken) => Task.FromException(Cannot("keys"));

    /// <inheritdoc/>
    public Task<byte[]> ScreenshotAsync(CancellationToken cancellationToken) => Task.FromException<byte[]>(Cannot("screen"));

    /// <inheritdoc/>
    public Task SetDiskFaultAsync(int disk, DiskFault fault, CancellationToken cancellationToken) => Task.FromException(Cannot("disk faults"));

    /// <inheritdoc/>
    public Task SysRqAsync(string serial, char key, CancellationToken cancellationToken)
    {
        Port(serial);
        return CommandAsync("No SysRq command can be given", "sysrq " + key, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        _killed = true;
        _launch.Child.Kill();
        await Exited.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync(CancellationToken.None);
        await _launch.DisposeAsync();
        _console.Dispose();
        _turn.Dispose();
    }

    private SerialPort Port(string name) => _launch.Serials.FirstOrDefault(port => port.Name == name)
        ?? throw new ArgumentException($"The guest has no serial port '{name}'.", nameof(name));

    private VirtigoException Cannot(string feature) => HypervisorFeature.Of(feature).Refusal(UmlHypervisor.KindName, UmlHypervisor.Abilities, _config.Name);

    private async Task CommandAsync(string problem, string command, CancellationToken cancellationToken)
    {
        if (_isHeld)
        {
            throw new VirtigoException(FailureKind.Usage, $"{problem}: guest {_config.Name} has not begun.", "Resume it first.");
        }

        ManagementReply reply = await _console.ExecuteAsync(problem, command, cancellationToken);
        if (reply.Failed)
        {
            throw new VirtigoException(FailureKind.Guest, $"{problem}: the guest's kernel says '{reply.Text.Trim()}'.");
        }
    }

    private async Task InTurnAsync(Func<Task> action, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await action();
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<GuestExit> WatchAsync()
    {
        int code = await _launch.Child.Exited;
        await Task.WhenAll(_launch.Serials.Select(port => port.DrainAsync()));
        foreach (FramePump nic in _launch.Nics)
        {
            await nic.DisposeAsync();
        }

        UmlLaunch.RemoveFiles(_config);
        string said = _launch.Child.ErrorTail;
        string? panic = _launch.Serials.Select(port => PanicWords.In(port.Remembered())).Append(PanicWords.In(Encoding.UTF8.GetBytes(said)))
            .FirstOrDefault(line => line is not null);
        return UmlExit.Conclude(_killed, _asked, code, said, panic, _launch.Child.Command.ToString());
    }
}
