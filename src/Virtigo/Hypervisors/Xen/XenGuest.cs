using System.Security.Cryptography;

namespace Virtigo.Hypervisors.Xen;

/// <summary>One guest in domains of ours, one after the other.</summary>
internal sealed class XenGuest : IGuest
{
    /// <summary>What the names of our domains begin with.</summary>
    public const string DomainPrefix = "virtigo-";

    private readonly GuestConfig _config;
    private readonly XenDomainKind _kind;
    private readonly string _name;
    private readonly DomainGuard _guard;
    private readonly GuestLines _lines;
    private readonly IReadOnlyList<SerialPort> _serials;
    private readonly SemaphoreSlim _turn = new(1);
    private XenDomain _domain;
    private bool _isPaused;
    private bool _resets;
    private volatile bool _killed;
    private int _disposals;

    private XenGuest(GuestConfig config, XenDomainKind kind, string name, DomainGuard guard, GuestLines lines, List<SerialLog?> logs, XenDomain domain)
    {
        (_config, _kind, _name, _guard, _lines, _domain, _isPaused) = (config, kind, name, guard, lines, domain, true);
        _serials = [.. config.Serials.Select((serial, i) => new SerialPort(serial.Name, lines.Serials[i].Ours, logs[i]))];
        Exited = WatchAsync();
    }

    /// <inheritdoc/>
    public int ProcessId => _domain.Child.Id;

    /// <inheritdoc/>
    public Task<GuestExit> Exited { get; }

    /// <inheritdoc/>
    public Stream? Agent => _lines.Agent?.Ours;

    /// <inheritdoc/>
    public Stream? Channel => _lines.Channel?.Ours;

    /// <summary>Starts a guest; unless it is to stay paused, it runs when this returns.</summary>
    /// <param name="config">The guest.</param>
    /// <param name="kind">How it is virtualised; not <see cref="XenDomainKind.Auto"/>.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public static async Task<XenGuest> StartAsync(GuestConfig config, XenDomainKind kind, CancellationToken cancellationToken)
    {
        // Domains of a host have different names, whatever the guests of different environments are called.
        string name = $"{DomainPrefix}{config.Name}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
        var logs = new List<SerialLog?>();
        GuestLines? lines = null;
        DomainGuard? guard = null;
        XenGuest guest;
        try
        {
            logs.AddRange(config.Serials.Select(SerialLog.Open));
            lines = new GuestLines(config);
            guard = await DomainGuard.StartAsync(name, cancellationToken);
            guest = new XenGuest(config, kind, name, guard, lines, logs, await XenDomain.MakeAsync(config, kind, name, lines, cancellationToken));
        }
        catch
        {
            lines?.Dispose();
            foreach (SerialLog? log in logs)
            {
                await (log?.DisposeAsync() ?? ValueTask.CompletedTask);
            }

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
        CommandAsync("The power button cannot be pressed", domain => _kind == XenDomainKind.Hvm ? ["shutdown", "-F", Xl.Number(domain)] : ["shutdown", Xl.Number(domain)], cancellationToken);

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
        foreach (SerialPort serial in _serials)
        {
            await serial.DisposeAsync();
        }

        _lines.Dispose();
        _turn.Dispose();
    }

    private SerialPort Port(string name) => _serials.FirstOrDefault(port => port.Name == name)
        ?? throw new ArgumentException($"The guest has no serial port '{name}'.", nameof(name));

    private VirtigoException Cannot(string feature) => HypervisorFeature.Of(feature).Refusal(XenHypervisor.KindName, XenAbilities.Of(_kind), _config.Name);

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
            _domain = await XenDomain.MakeAsync(_config, _kind, _name, _lines, CancellationToken.None);
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
        _lines.HangUp();
        await Task.WhenAll(_serials.Select(port => port.DrainAsync()));
        await _guard.DisposeAsync();
        string said = _domain.Said;
        GuestExit exit = XenExit.Conclude(_killed, end, code, said, PanicWords.In(_serials), _domain.Child.Command.ToString());
        return trouble is null ? exit : exit with { Reason = GuestExitReason.HypervisorDied, Detail = trouble };
    }
}
