using System.Net.Sockets;
using System.Security.Cryptography;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Xen;

/// <summary>One guest in domains of ours, one after the other.</summary>
internal sealed class XenGuest : IGuest
{
    private readonly GuestConfig _config;
    private readonly XenDomainKind _kind;
    private readonly string _name;
    private readonly DomainGuard _guard;
    private readonly Line? _console;
    private readonly Line? _agent;
    private readonly SerialPort? _serial;
    private readonly SemaphoreSlim _turn = new(1);
    private XenDomain _domain;
    private bool _isPaused;
    private bool _resets;
    private volatile bool _killed;
    private int _disposals;

    private XenGuest(GuestConfig config, XenDomainKind kind, string name, DomainGuard guard, Line? console, Line? agent, SerialLog? log, XenDomain domain)
    {
        (_config, _kind, _name, _guard, _console, _agent, _domain, _isPaused) = (config, kind, name, guard, console, agent, domain, true);
        _serial = console is null ? null : new SerialPort(config.Serials[0].Name, console.Ours, log);
        Exited = WatchAsync();
    }

    /// <inheritdoc/>
    public int ProcessId => _domain.Child.Id;

    /// <inheritdoc/>
    public Task<GuestExit> Exited { get; }

    /// <inheritdoc/>
    public Stream? Agent => _agent?.Ours;

    /// <inheritdoc/>
    public Stream? Channel => null;

    /// <summary>Starts a guest; unless it is to stay paused, it runs when this returns.</summary>
    /// <param name="config">The guest.</param>
    /// <param name="kind">How it is virtualised; not <see cref="XenDomainKind.Auto"/>.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public static async Task<XenGuest> StartAsync(GuestConfig config, XenDomainKind kind, CancellationToken cancellationToken)
    {

        // Domains of a host have different names, whatever the guests of different environments are called.
        string name = $"virtigo-{config.Name}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
        SerialLog? log = config.Serials is [{ } serial] ? SerialLog.Open(serial) : null;
        Line? console = null;
        Line? agent = null;
        DomainGuard? guard = null;
        XenGuest guest;
        try
        {
            console = config.Serials.Count > 0 ? new Line() : null;
            agent = config.AgentChannel ? new Line() : null;
            guard = await DomainGuard.StartAsync(name, cancellationToken);
            guest = new XenGuest(config, kind, name, guard, console, agent, log,
                await XenDomain.MakeAsync(config, kind, name, console?.Theirs, agent?.Theirs, cancellationToken));
        }
        catch
        {
            console?.Dispose();
            agent?.Dispose();
            await (log?.DisposeAsync() ?? ValueTask.CompletedTask);
            await (guard?.DisposeAsync() ?? ValueTask.CompletedTask);
            throw;
        }

        try
        {
            if (!config.StartPaused)
            {
                await guest.ResumeAsync(cancellationToken);
            }

            return guest;
        }
        catch
        {
            await guest.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public Stream OpenSerial(string name) => Port(name).Open();

    /// <inheritdoc/>
    public Task PowerButtonAsync(CancellationToken cancellationToken) =>
        CommandAsync("The power button cannot be pressed", domain => ["shutdown", Xl.Number(domain)], cancellationToken);

    /// <inheritdoc/>
    public async Task ResetAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            ExpectAlive("The reset button cannot be pressed");
            _resets = true;
            await _domain.DestroyAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public Task PauseAsync(CancellationToken cancellationToken) => HoldAsync("The guest cannot be paused", "pause", true, cancellationToken);

    /// <inheritdoc/>
    public Task ResumeAsync(CancellationToken cancellationToken) => HoldAsync("The guest cannot go on", "unpause", false, cancellationToken);

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
        return CommandAsync("No SysRq command can be given", domain => ["sysrq", Xl.Number(domain), key.ToString()], cancellationToken);
    }

    /// <inheritdoc/>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        _killed = true;
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (!Exited.IsCompleted)
            {
                await _domain.DestroyAsync();
            }
        }
        finally
        {
            _turn.Release();
        }

        await Exited.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposals, 1) != 0)
        {
            await Exited;
            return;
        }

        await KillAsync(CancellationToken.None);
        await (_serial?.DisposeAsync() ?? ValueTask.CompletedTask);
        _agent?.Dispose();
        _console?.Dispose();
        _turn.Dispose();
    }

    private SerialPort Port(string name) => _serial?.Name == name ? _serial : throw new ArgumentException($"The guest has no serial port '{name}'.", nameof(name));

    private VirtigoException Cannot(string feature) => HypervisorFeature.Of(feature).Refusal(XenHypervisor.KindName, XenHypervisor.Abilities, _config.Name);

    private void ExpectAlive(string problem)
    {
        if (Exited.IsCompleted || _killed)
        {
            throw new VirtigoException(FailureKind.Guest, $"{problem}: the guest has ended.");
        }
    }

    private async Task CommandAsync(string problem, Func<int, IReadOnlyList<string>> command, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            ExpectAlive(problem);
            await Xl.CommandAsync(problem, command(_domain.Number), cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task HoldAsync(string problem, string command, bool paused, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            ExpectAlive(problem);

            // Xen counts: one that was paused twice would have to be told twice to go on.
            if (_isPaused != paused)
            {
                await Xl.CommandAsync(problem, [command, Xl.Number(_domain.Number)], cancellationToken);
                _isPaused = paused;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<GuestExit> WatchAsync()
    {
        while (true)
        {
            int code = await _domain.Ended;
            await _domain.HearOutAsync();
            await _turn.WaitAsync();
            try
            {
                bool reset = _resets;
                _resets = false;
                string? trouble = await EndAsync(_domain);
                if (trouble is null && !_killed && _config.RestartOnReset && (reset || _domain.End is DomainEnd.Reboot or DomainEnd.SoftReset))
                {
                    trouble = await AgainAsync();
                    if (trouble is null)
                    {
                        continue;
                    }
                }

                return await ConcludeAsync(reset ? DomainEnd.Reboot : _domain.End, code, trouble);
            }
            finally
            {
                _turn.Release();
            }
        }
    }

    private static async Task<string?> EndAsync(XenDomain domain)
    {
        try
        {
            await domain.DisposeAsync();
            return null;
        }
        catch (VirtigoException error)
        {
            return error.Message;
        }
    }

    /// <summary>Begins again in another domain; gives what is wrong when that fails.</summary>
    private async Task<string?> AgainAsync()
    {
        try
        {
            _domain = await XenDomain.MakeAsync(_config, _kind, _name, _console?.Theirs, _agent?.Theirs, CancellationToken.None);
            await Xl.CommandAsync("The guest does not begin again", ["unpause", Xl.Number(_domain.Number)], CancellationToken.None);
            _isPaused = false;
            return null;
        }
        catch (VirtigoException error)
        {
            await EndAsync(_domain);
            return error.Message;
        }
    }

    private async Task<GuestExit> ConcludeAsync(DomainEnd? end, int code, string? trouble)
    {
        _console?.Theirs.Dispose();
        _agent?.Theirs.Dispose();
        await (_serial?.DrainAsync() ?? Task.CompletedTask);
        await _guard.DisposeAsync();
        string said = _domain.Said;
        GuestExit exit = XenExit.Conclude(_killed, end, code, said, _serial is null ? null : PanicWords.In(_serial.Remembered()), _domain.Child.Command.ToString());
        return trouble is null ? exit : exit with { Reason = GuestExitReason.HypervisorDied, Detail = trouble };
    }

    /// <summary>What outlasts a guest's domains: its user's end, and the one that a domain's is carried to.</summary>
    private sealed class Line : IDisposable
    {
        public Line()
        {
            (Socket ours, Theirs) = LocalSockets.StreamPair();
            Ours = new NetworkStream(ours, ownsSocket: true);
        }

        public NetworkStream Ours { get; }

        public Socket Theirs { get; }

        public void Dispose()
        {
            Ours.Dispose();
            Theirs.Dispose();
        }
    }
}
