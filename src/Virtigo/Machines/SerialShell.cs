using System.Text;

namespace Virtigo.Machines;

/// <summary>
/// Runs commands in a root shell that waits on the guest's serial console, for guests without agent. One command runs at a time; its
/// error output is part of its output, and so is what the kernel says meanwhile. A command has no terminal, and ignores Ctrl-C as what is started
/// with <c>&amp;</c> does. The guest needs <c>/bin/sh</c> with <c>printf</c>, a prompt, and <c>sleep</c>; <c>stty</c> so that nothing is echoed; <c>/proc</c>
/// or <c>setsid</c> so that all of a command can be killed.
/// </summary>
internal sealed class SerialShell : IGuestShell
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(10);

    // Later than any boot menu: what is typed there without having been asked for would stop the boot.
    private static readonly TimeSpan s_promptLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_answerLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_killLimit = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan s_lostLimit = TimeSpan.FromSeconds(30);
    private readonly Stream _console;
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Lock _gate = new();
    private readonly Task _reading;
    private SerialListener? _listener;
    private VirtigoException? _broken;
    private string? _survivor;

    /// <summary>Begins to read a console.</summary>
    /// <param name="console">The console; disposed with the shell.</param>
    /// <param name="clock">For pauses.</param>
    public SerialShell(Stream console, TimeProvider clock)
    {
        (_console, _clock) = (console, clock);
        _reading = Task.Run(ReadAsync);
    }

    /// <summary>Waits until a shell answers on the console, asking it again and again. Cancel it to give up.</summary>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Guest"/> when the console ends, or the shell was lost to a command that could not be killed.
    /// </exception>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await FindAsync(cancellationToken);
        }
        finally
        {
            Listen(null);
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async Task<CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken)
    {
        if (options.InputStream is not null || options.Terminal is not null)
        {
            throw NeedsAgent("Commands with a terminal or a stream as their input");
        }

        string whole = ShellCommand.Wrap(command, options);
        new SerialCommand().Tell(whole, options.Input.Span);
        long start = _clock.GetTimestamp();
        await _turn.WaitAsync(cancellationToken);
        try
        {
            (SerialCommand typed, SerialListener listener) = await TellAsync(whole, options, cancellationToken);
            try
            {
                await TypeAsync(typed.Run, cancellationToken);
                int code = await listener.Ended.WaitAsync(cancellationToken);
                await TypeAsync(typed.Acknowledge, cancellationToken);
                return new CommandResult(code, listener.Text, "", listener.Truncated, _clock.GetElapsedTime(start));
            }
            catch (Exception) when (!IsBroken)
            {
                await KillAsync(typed, command);
                throw;
            }
        }
        finally
        {
            Listen(null);
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public Task<GuestProcess> StartAsync(IReadOnlyList<string> arguments, CommandOptions options, CancellationToken cancellationToken) =>
        throw NeedsAgent("Processes with streams, and copies of files and folders,");

    /// <inheritdoc/>
    public Task<Stream> ConnectAsync(string target, CancellationToken cancellationToken) => throw NeedsAgent("Connections");

    /// <inheritdoc/>
    public Task WaitAsync(GuestCondition condition, Action<string> seen, CancellationToken cancellationToken) =>
        ConditionPolling.WaitAsync(this, condition, seen, _clock, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _console.DisposeAsync();
        await _reading;
    }

    private static VirtigoException NeedsAgent(string what) => new(
        FailureKind.Guest, $"{what} need the guest's agent, and this machine is driven through its serial console.",
        "Drive it through its agent: qemu-guest-agent and perl-base. Small files can be written and read by commands, as by: base64 /etc/motd");

    private bool IsBroken
    {
        get
        {
            lock (_gate)
            {
                return _broken is not null;
            }
        }
    }

    /// <summary>Makes the shell ready to run a command: until that, everything can be done again.</summary>
    private async Task<(SerialCommand Typed, SerialListener Listener)> TellAsync(string command, CommandOptions options, CancellationToken cancellationToken)
    {
        for (TimeSpan limit = s_answerLimit; ; limit *= 2)
        {
            await FindAsync(cancellationToken);
            var typed = new SerialCommand();
            var listener = new SerialListener(typed, options.OutputLimit, options.OnOutput is { } pass ? bytes => pass(bytes, false) : null);
            Listen(listener);
            bool told = true;
            foreach (string line in typed.Tell(command, options.Input.Span))
            {
                told = told && await AnswersAsync(listener.Next("taken"), line, limit, cancellationToken);
            }

            if (told && await AnswersAsync(listener.Next("begin"), typed.Begin, limit, cancellationToken))
            {
                return (typed, listener);
            }
        }
    }

    /// <summary>Waits for a shell; not for long for one that was lost.</summary>
    private async Task FindAsync(CancellationToken cancellationToken)
    {
        if (_survivor is null)
        {
            await GreetAsync(Timeout.InfiniteTimeSpan, cancellationToken);
        }
        else if (await GreetAsync(s_lostLimit, cancellationToken))
        {
            _survivor = null;
        }
        else
        {
            throw Lost(_survivor);
        }
    }

    /// <summary>
    /// Asks until a shell answers. A whole line is typed only to what has answered an empty one: the machine may be about to boot, and its
    /// boot menu would take the line's letters for orders.
    /// </summary>
    private async Task<bool> GreetAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        long start = _clock.GetTimestamp();
        for (TimeSpan pause = s_firstPause; ; pause = pause < s_longestPause ? pause * 2 : s_longestPause)
        {
            TimeSpan left = limit - _clock.GetElapsedTime(start);
            if (limit != Timeout.InfiniteTimeSpan && left <= TimeSpan.Zero)
            {
                return false;
            }

            pause = limit != Timeout.InfiniteTimeSpan && left < pause ? left : pause;
            var greeting = new SerialCommand();
            var listener = new SerialListener(greeting, 0, null);
            Listen(listener);
            bool prompted = await AnswersAsync(listener.NextPrompt(), SerialCommand.Nudge, pause, cancellationToken);
            if ((prompted || _clock.GetElapsedTime(start) > s_promptLimit)
                && await AnswersAsync(listener.Next("taken"), greeting.Greeting, pause, cancellationToken))
            {
                return true;
            }
        }
    }

    /// <summary>Types a line; whether it is answered within a limit.</summary>
    private async Task<bool> AnswersAsync(Task answer, string line, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(limit, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            await TypeAsync(line, either.Token);
            await answer.WaitAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Kills a command with all that came from it.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the shell does not answer.</exception>
    private async Task KillAsync(SerialCommand typed, string command)
    {
        if (await GreetAsync(s_killLimit, CancellationToken.None))
        {
            var listener = new SerialListener(typed, 0, null);
            Listen(listener);
            for (int attempt = 0; attempt < 2; attempt++)
            {
                if (await AnswersAsync(listener.Next("killed"), typed.Kill, s_killLimit, CancellationToken.None))
                {
                    return;
                }
            }
        }

        throw Lost(_survivor = command);
    }

    private static VirtigoException Lost(string command) => new(FailureKind.Guest,
        $"The shell on the machine's serial console does not answer any more since \"{command}\" was given up, and so could not kill it: "
        + "the command has the console to itself, or the system hangs.",
        "Cut the machine's power and start it again.");

    private async Task TypeAsync(string line, CancellationToken cancellationToken)
    {
        try
        {
            await _console.WriteAsync(Encoding.ASCII.GetBytes(line), cancellationToken);
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            throw Gone(error.Message);
        }
    }

    private void Listen(SerialListener? listener)
    {
        lock (_gate)
        {
            _listener = listener;
            if (_broken is not null)
            {
                listener?.Fail(_broken);
            }
        }
    }

    private async Task ReadAsync()
    {
        byte[] buffer = new byte[16 << 10];
        string why = "it is closed";
        try
        {
            for (int read; (read = await _console.ReadAsync(buffer)) > 0;)
            {
                SerialListener? listener;
                lock (_gate)
                {
                    listener = _listener;
                }

                listener?.Receive(buffer.AsSpan(0, read));
            }
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            why = error.Message;
        }

        lock (_gate)
        {
            _broken = Gone(why);
            _listener?.Fail(_broken);
        }
    }

    private static VirtigoException Gone(string why) =>
        new(FailureKind.Guest, $"The serial console of the machine has ended: {why}", inner: new EndOfStreamException(why));
}
