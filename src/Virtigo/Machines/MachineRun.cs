using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Virtigo.Hypervisors;

namespace Virtigo.Machines;

/// <summary>A machine from one power-on to the next power-off: its guest, its console, and the way commands get in.</summary>
internal sealed partial class MachineRun : IAsyncDisposable
{
    private const int EntropyLength = 64;
    private static readonly TimeSpan s_answerLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_pingLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_reunionLimit = TimeSpan.FromSeconds(2);

    // Its program is a second of work: after this it is asked for, and when it does not run, it never will.
    private static readonly TimeSpan s_helloPatience = TimeSpan.FromSeconds(15);
    private const int MostLooks = 4;
    private readonly MachineConfig _config;
    private readonly SemaphoreSlim _connecting = new(1);
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _reading;
    private readonly Task _watching;
    private readonly Task _unlocking;
    private readonly GuestAgent? _agent;
    private readonly GuestChannel? _channel;
    private IGuestShell? _shell;
    private SerialShell? _serial;
    private string _bootId = "";
    private bool _connectedBefore;

    /// <summary>Takes a guest over and begins to read its console.</summary>
    public MachineRun(MachineConfig config, IGuest guest)
    {
        (_config, Guest) = (config, guest);
        _agent = !OnConsole && guest.Agent is not null ? GuestAgent.Of(guest, config.Clock) : null;
        _channel = guest.Channel is { } channel && _agent is not null ? new GuestChannel(channel) : null;
        _reading = Task.Run(() => Console.ReadAsync(guest.OpenSerial(config.Console)));
        _unlocking = config.Passphrase is { } passphrase
            ? Task.Run(() => DiskUnlock.AnswerAsync(guest.OpenSerial(config.Console), passphrase, config.Clock, _ended.Token))
            : Task.CompletedTask;
        _watching = _channel is null ? Task.CompletedTask : Task.Run(() => WatchAsync(_channel, _agent!));
    }

    /// <summary>The guest.</summary>
    public IGuest Guest { get; }

    /// <summary>What its console said.</summary>
    public ConsoleLog Console { get; } = new();

    /// <summary>Whether we stopped its processors.</summary>
    public bool Paused { get; set; }

    /// <summary>The way in, once the guest answers. After a reboot it is found anew.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the guest ends, or its agent answers nonsense.</exception>
    public async Task<IGuestShell> ShellAsync(CancellationToken cancellationToken)
    {
        if (_shell is { } shell && Usable(shell))
        {
            return shell;
        }

        await _connecting.WaitAsync(cancellationToken);
        try
        {
            return _shell = _shell is { } now && Usable(now) ? now : await ConnectAsync(cancellationToken);
        }
        catch (Exception error) when (error is IOException or InvalidDataException or GuestAgentException)
        {
            throw Broken(error);
        }
        finally
        {
            _connecting.Release();
        }
    }

    /// <summary>
    /// Takes over a guest that was copied while it ran: what its source had open is dropped, its clock is set and its entropy stirred, in
    /// one round trip.
    /// </summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        if (OnConsole)
        {
            await RefreshOnConsoleAsync(cancellationToken);
        }

        if (_channel is null)
        {
            return;
        }

        await _connecting.WaitAsync(cancellationToken);
        try
        {
            // A channel that was not set up when the guest was copied is when the first command comes.
            await AnswersSoonAsync(async token =>
            {
                _bootId = await _channel.ResetAsync(_config.Clock.GetUtcNow(), RandomNumberGenerator.GetBytes(EntropyLength), token);
                _shell = new ChannelShell(_channel, _config.Clock);
                _connectedBefore = true;
            }, s_answerLimit, cancellationToken);
        }
        finally
        {
            _connecting.Release();
        }
    }

    /// <summary>Has the guest do what the first command in a copy of it would else have to; what cannot be done soon is left to that command.</summary>
    public async Task PrepareForCopiesAsync(CancellationToken cancellationToken)
    {
        if (_channel is { IsReady: true } channel && !Paused)
        {
            await AnswersSoonAsync(channel.PrepareShellAsync, s_pingLimit, cancellationToken);
        }
    }

    /// <summary>The id of the guest's current boot, from its agent; waits until the agent answers.</summary>
    public async Task<string> BootIdAsync(CancellationToken cancellationToken)
    {
        if (_agent is null)
        {
            // The kernel may say something on the console meanwhile.
            IGuestShell shell = await ShellAsync(cancellationToken);
            string said = (await shell.ExecuteAsync("cat /proc/sys/kernel/random/boot_id", new CommandOptions(), cancellationToken)).Output;
            return BootIdText().Match(said) is { Success: true } found ? found.Value
                : throw new VirtigoException(FailureKind.Guest, $"Machine {_config.Name} does not tell which boot it is in: {said.Trim()}", "Mount /proc in it.");
        }

        try
        {
            await _agent.WaitAsync(cancellationToken);
            return System.Text.Encoding.UTF8.GetString(await _agent.ReadFileAsync("/proc/sys/kernel/random/boot_id", 100, cancellationToken)).Trim();
        }
        catch (Exception error) when (error is IOException or InvalidDataException or GuestAgentException)
        {
            throw Broken(error);
        }
    }

    /// <summary>Asks the guest's system to power off: through its agent when that answers soon, else by the power button.</summary>
    public async Task AskToShutDownAsync(CancellationToken cancellationToken)
    {
        if (_agent is not null)
        {
            using var limit = new CancellationTokenSource(_config.Speed.Scale(s_pingLimit), _config.Clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            try
            {
                await _agent.ShutdownAsync(either.Token);
                return;
            }
            catch (Exception error) when (error is OperationCanceledException or IOException && !cancellationToken.IsCancellationRequested)
            {
                // No agent to ask: a command is left, and the button.
            }
        }

        if (!await PowerOffByCommandAsync(cancellationToken))
        {
            await Guest.PowerButtonAsync(cancellationToken);
        }
    }

    /// <summary>
    /// The command that reboots, and returns at once. A system that is nothing but a shell has no init that could be asked: its kernel is.
    /// </summary>
    public string RebootCommand => Later(OnConsole ? "systemctl reboot || reboot; sleep 20; sync; reboot -f" : "systemctl reboot || reboot");

    private string PowerOffCommand => OnConsole ? Later("systemctl poweroff || poweroff; sleep 20; sync; poweroff -f") : "poweroff";

    private static string Later(string command) => $"(sleep 0.1; {command}) >/dev/null 2>&1 &";

    /// <summary>A small system has nobody who looks at the button.</summary>
    private async Task<bool> PowerOffByCommandAsync(CancellationToken cancellationToken)
    {
        if (_shell is not (ChannelShell or SerialShell) || !Usable(_shell))
        {
            return false;
        }

        try
        {
            return (await _shell.ExecuteAsync(PowerOffCommand, new CommandOptions(), cancellationToken)).Succeeded;
        }
        catch (VirtigoException error) when (error.Kind == FailureKind.Guest)
        {
            // The system was gone before it could answer.
            return true;
        }
    }

    /// <summary>Makes the next command find its way anew, after the guest has booted again.</summary>
    public void Forget(string reason)
    {
        _channel?.Break(reason);
        _shell = null;
    }

    /// <summary>Ends the guest.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await Guest.DisposeAsync();
        await _watching;
        await _unlocking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_serial is not null)
        {
            await _serial.DisposeAsync();
        }

        if (_channel is not null)
        {
            await _channel.DisposeAsync();
        }

        await _reading;
        _agent?.Dispose();
        _connecting.Dispose();
        _ended.Dispose();
    }

    /// <summary>A copy's clock and entropy, for a guest that knows commands only; one that did not wait for commands when it was copied goes on as it is.</summary>
    private Task<bool> RefreshOnConsoleAsync(CancellationToken cancellationToken) => AnswersSoonAsync(async token =>
    {
        IGuestShell shell = await ShellAsync(token);
        string refresh = FormattableString.Invariant($"cat > /dev/urandom; date -u -s @{_config.Clock.GetUtcNow().ToUnixTimeSeconds()}");
        await shell.ExecuteAsync(refresh, new CommandOptions { Input = RandomNumberGenerator.GetBytes(EntropyLength) }, token);
    }, s_answerLimit, cancellationToken);

    /// <summary>Sets the clock of a guest that stood still; one that answers no command soon keeps what it has.</summary>
    public async Task SetClockAsync(CancellationToken cancellationToken)
    {
        if (_shell is not ChannelShell shell || !Usable(shell))
        {
            return;
        }

        try
        {
            await AnswersSoonAsync(token => shell.ExecuteAsync(Machine.SetClockCommand(_config.Clock.GetUtcNow()), new CommandOptions(), token), s_pingLimit, cancellationToken);
        }
        catch (VirtigoException failure) when (failure.Kind == FailureKind.Guest)
        {
            // The way to the guest broke: the next command says so.
        }
    }

    private bool Usable(IGuestShell shell) => shell is not ChannelShell || _channel!.IsReady;

    private bool OnConsole => _config.Control == MachineControl.SerialConsole;

    private async Task<IGuestShell> ConnectAsync(CancellationToken cancellationToken)
    {
        if (OnConsole)
        {
            _serial ??= new SerialShell(Guest.OpenSerial(_config.Console), _config.Clock);
            await _serial.WaitAsync(cancellationToken);
            return _serial;
        }

        if (_agent is null)
        {
            throw new VirtigoException(FailureKind.Usage, $"Machine {_config.Name} has no agent channel, so no command can be run in it.");
        }

        if (_channel is not null)
        {
            if (_connectedBefore && await AnswersAsync(_channel, cancellationToken))
            {
                return new ChannelShell(_channel, _config.Clock);
            }

            // What is sent now waits in the port until the guest's side opens it.
            Task<string> ready = _channel.ResetAsync(null, ReadOnlyMemory<byte>.Empty, cancellationToken);
            await _agent.WaitAsync(cancellationToken);
            if (await GuestChannelSetup.StartAsync(_agent, cancellationToken))
            {
                _bootId = await HelloAsync(ready, _channel, _agent, cancellationToken);
                _connectedBefore = true;
                return new ChannelShell(_channel, _config.Clock);
            }

            _channel.Break("the guest has no perl");
        }

        await _agent.WaitAsync(cancellationToken);
        return new AgentShell(_agent, _config.Clock, _config.Guest.StreamChannel ? null : _config.Hypervisor.Name);
    }

    /// <summary>Waits for the first word of the guest's side that was just started. One that never speaks is told with what is known of it.</summary>
    private async Task<string> HelloAsync(Task<string> hello, GuestChannel channel, GuestAgent agent, CancellationToken cancellationToken)
    {
        TimeSpan patience = _config.Speed.Scale(s_helloPatience);
        for (int look = 1; ; look++)
        {
            try
            {
                return await hello.WaitAsync(patience, _config.Clock, cancellationToken);
            }
            catch (TimeoutException)
            {
                (bool runs, string said) = await LookAsync(agent, cancellationToken);
                if (runs && look < MostLooks)
                {
                    continue;
                }

                channel.Break("its side in the guest did not answer");
                string state = runs
                    ? FormattableString.Invariant($"its program runs, but said nothing for {look * patience.TotalSeconds:0} s")
                    : "its program was started, and ended without a word to the host";
                throw new VirtigoException(FailureKind.Guest,
                    $"The stream channel of machine {_config.Name} does not work: {state}.{(said.Length > 0 ? $" It said last:\n{said}" : "")}",
                    "Commands run through a perl program in the guest: see that its perl works, and look at its console.");
            }
        }
    }

    /// <summary>What the agent knows of the guest's side; an agent that does not answer either knows nothing.</summary>
    private async Task<(bool Runs, string Said)> LookAsync(GuestAgent agent, CancellationToken cancellationToken)
    {
        (bool Runs, string Said) seen = (true, "");
        await AnswersSoonAsync(async token => seen = await GuestChannelSetup.LookAsync(agent, token), s_answerLimit, cancellationToken);
        return seen;
    }

    /// <summary>Whether the guest's side that ran before still does, so that it need not be started.</summary>
    private Task<bool> AnswersAsync(GuestChannel channel, CancellationToken cancellationToken) => AnswersSoonAsync(
        async token => _bootId = await channel.ResetAsync(null, ReadOnlyMemory<byte>.Empty, token), s_reunionLimit, cancellationToken);

    /// <summary>Asks the guest something, and gives up after a while: then nothing was found out.</summary>
    private async Task<bool> AnswersSoonAsync(Func<CancellationToken, Task> ask, TimeSpan soon, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(_config.Speed.Scale(soon), _config.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await ask(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>
    /// Finds out that the guest has booted again, or lost its side of the channel: whoever waits on a stream would wait for ever.
    /// </summary>
    private async Task WatchAsync(GuestChannel channel, GuestAgent agent)
    {
        var period = TimeSpan.FromSeconds(3);
        try
        {
            for (long before = -1; ;)
            {
                await Task.Delay(period, _config.Clock, _ended.Token);
                bool silent = channel.IsReady && channel.Count > 0 && channel.Received == before && !Paused;
                before = channel.Received;
                if (silent && !await AnswersSoonAsync(channel.PingAsync, s_pingLimit, _ended.Token) && await BootedAgainAsync(agent))
                {
                    channel.Break("the machine has booted again, or its side of the channel was killed");
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The power-on is over.
        }
    }

    private async Task<bool> BootedAgainAsync(GuestAgent agent)
    {
        const string alive = "pgrep -f '^perl /run/virtigo/guest-channel.pl' >/dev/null";
        try
        {
            return await BootIdAsync(_ended.Token) != _bootId
                || (await agent.RunAsync("/bin/sh", ["-c", alive], _ended.Token)).ExitCode != 0;
        }
        catch (Exception error) when (error is IOException or InvalidDataException or GuestAgentException or VirtigoException)
        {
            return false;
        }
    }

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex BootIdText();

    private VirtigoException Broken(Exception error) =>
        new(FailureKind.Guest, $"The way into machine {_config.Name} broke: {error.Message}", "Look at its console.", error);
}
