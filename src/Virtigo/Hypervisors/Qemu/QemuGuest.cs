using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>One guest in one QEMU process of ours.</summary>
internal sealed partial class QemuGuest : IGuest
{
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);
    private readonly GuestConfig _config;
    private readonly ChildProcess _child;
    private readonly IReadOnlyList<SerialPort> _serials;
    private volatile bool _killed;

    private QemuGuest(GuestConfig config, QemuLaunch launch, QmpSubscription events)
    {
        (_config, _child, Qmp, _serials, Agent, Channel) = (config, launch.Child, launch.Qmp, launch.Serials, launch.Agent, launch.Channel);
        Exited = WatchAsync(events);
    }

    /// <inheritdoc/>
    public int ProcessId => _child.Id;

    /// <inheritdoc/>
    public Task<GuestExit> Exited { get; }

    /// <inheritdoc/>
    public Stream? Agent { get; }

    /// <inheritdoc/>
    public Stream? Channel { get; }

    /// <summary>QEMU's machine protocol, for what the guest's interface does not cover.</summary>
    public QmpClient Qmp { get; }

    /// <summary>Starts a guest; unless it is to stay paused, it runs when this returns.</summary>
    /// <param name="config">The guest.</param>
    /// <param name="accelerator">KVM or TCG.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public static async Task<QemuGuest> StartAsync(GuestConfig config, Accelerator accelerator, CancellationToken cancellationToken)
    {
        HostTools.Require(QemuCommandLine.Program);
        GuestConfigCheck.Check(QemuHypervisor.KindName, QemuHypervisor.Abilities, config);
        QemuCommandLine.CheckSockets(config);
        QemuLaunch launch = await QemuLaunch.StartAsync(config, accelerator, cancellationToken);
        QmpSubscription events = launch.Qmp.Subscribe();
        try
        {
            await launch.Qmp.NegotiateAsync(cancellationToken);
            if (config.SavedState is { } state)
            {
                await QemuState.LoadAsync(launch.Qmp, QemuCommandLine.StateSocket(config), state, config.MemoryFile is not null, cancellationToken);
            }

            var guest = new QemuGuest(config, launch, events);
            if (!config.StartPaused)
            {
                await launch.Qmp.ExecuteAsync("cont", null, cancellationToken);
            }

            return guest;
        }
        catch (Exception error) when (error is IOException or QmpException)
        {
            await launch.DisposeAsync();
            throw QemuLaunch.Failure(launch.Child, error.Message);
        }
        catch
        {
            await launch.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public Stream OpenSerial(string name) =>
        _serials.FirstOrDefault(port => port.Name == name)?.Open()
        ?? throw new ArgumentException($"The guest has no serial port '{name}'.", nameof(name));

    /// <inheritdoc/>
    public Task PowerButtonAsync(CancellationToken cancellationToken) =>
        CommandAsync("The power button cannot be pressed", "system_powerdown", null, cancellationToken);

    /// <inheritdoc/>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        _killed = true;
        _child.Kill();
        await Exited.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync(CancellationToken.None);
        await Qmp.DisposeAsync();
        foreach (Stream? channel in (Stream?[])[Agent, Channel])
        {
            await (channel?.DisposeAsync() ?? ValueTask.CompletedTask);
        }

        await _child.DisposeAsync();
    }

    private async Task<GuestExit> WatchAsync(QmpSubscription events)
    {
        var watch = new QemuExitWatch();
        try
        {
            await foreach (QmpEvent value in events.ReadAsync(CancellationToken.None))
            {
                if (watch.See(value))
                {
                    _child.Kill();
                }
            }
        }
        catch (InvalidOperationException)
        {
            // More events than anyone can read: QEMU is out of its mind, and ends below.
        }

        try
        {
            // Without its protocol QEMU ends by itself; one that broke the protocol does not.
            await _child.Exited.WaitAsync(EndLimit);
        }
        catch (TimeoutException)
        {
            _child.Kill();
        }

        int code = await _child.Exited;
        await Task.WhenAll(_serials.Select(port => port.DrainAsync()));
        foreach (SerialPort port in _serials)
        {
            await port.DisposeAsync();
        }

        string? panic = PanicWords.In(_serials);
        GuestExit exit = watch.Conclude(_killed, code, _child.ErrorTail, panic, _child.Command.ToString());
        return await CloseDisksAsync(exit.Reason == GuestExitReason.Killed) is { } problem
            ? exit with { Reason = GuestExitReason.HostDiskError, Detail = problem }
            : exit;
    }
}
