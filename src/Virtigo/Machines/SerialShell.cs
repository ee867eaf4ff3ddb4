using System.Text;

namespace Virtigo.Machines;

/// <summary>
/// Runs commands in a root shell that waits on the guest's serial console, for guests without agent. One command runs at a time; its
/// error output is part of its output, and so is what the kernel says meanwhile. It needs <c>printf</c> and <c>/bin/sh</c> in the guest.
/// </summary>
internal sealed class SerialShell : IGuestShell
{
    private const byte Interrupt = 3;
    private const byte Quit = 28;
    private static readonly TimeSpan s_firstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_firstReminder = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_interruptLimit = TimeSpan.FromSeconds(2);
    private readonly Stream _console;
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Lock _gate = new();
    private readonly Task _reading;
    private SerialListener? _listener;
    private VirtigoException? _broken;
    private bool _synchronised;

    /// <summary>Begins to read a console.</summary>
    /// <param name="console">The console; disposed with the shell.</param>
    /// <param name="clock">For pauses.</param>
    public SerialShell(Stream console, TimeProvider clock)
    {
        (_console, _clock) = (console, clock);
        _reading = Task.Run(ReadAsync);
    }

    /// <summary>Waits until a shell answers on the console, asking it again and again. Cancel it to give up.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the console ends.</exception>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await SynchroniseAsync(cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public async Task<CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken)
    {
        if (options.InputStream is not null || options.Input.Length > 0 || options.Terminal is not null)
        {
            throw NeedsAgent("Commands with input or a terminal");
        }

        var typed = new SerialCommand();
        IReadOnlyList<string> lines = typed.Tell(ShellCommand.Wrap(command, options));
        long start = _clock.GetTimestamp();
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await SynchroniseAsync(cancellationToken);
            var listener = new SerialListener(typed, options.OutputLimit, options.OnOutput is { } pass ? bytes => pass(bytes, false) : null);
            Listen(listener);
            _synchronised = false;
            foreach (string line in lines)
            {
                Task taken = listener.NextTaken();
                await TypeAsync(line, cancellationToken);
                await taken.WaitAsync(cancellationToken);
            }

            await TypeAsync(typed.Run, cancellationToken);
            int code = await EndAsync(typed, listener, cancellationToken);
            _synchronised = true;
            return new CommandResult(code, listener.Text, "", listener.Truncated, _clock.GetElapsedTime(start));
        }
        finally
        {
            if (!_synchronised)
            {
                await InterruptAsync();
            }

            Listen(null);
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public Task<GuestProcess> StartAsync(IReadOnlyList<string> arguments, CommandOptions options, CancellationToken cancellationToken) =>
        throw NeedsAgent("Processes with streams, and copies of files,");

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
        "Install qemu-guest-agent and perl-base in the machine.");

    private async Task SynchroniseAsync(CancellationToken cancellationToken)
    {
        for (TimeSpan pause = s_firstPause; !_synchronised; pause = pause < s_longestPause ? pause * 2 : s_longestPause)
        {
            _synchronised = await AnswersAsync(pause, cancellationToken);
        }
    }

    /// <summary>Whether the shell answers soon.</summary>
    private async Task<bool> AnswersAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        var greeting = new SerialCommand();
        var listener = new SerialListener(greeting, 0, null);
        Task taken = listener.NextTaken();
        Listen(listener);
        using var late = new CancellationTokenSource(limit, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            await TypeAsync(greeting.Greeting, either.Token);
            await taken.WaitAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task<int> EndAsync(SerialCommand typed, SerialListener listener, CancellationToken cancellationToken)
    {
        for (TimeSpan pause = s_firstReminder; ; pause *= 2)
        {
            try
            {
                return await listener.Ended.WaitAsync(pause, _clock, cancellationToken);
            }
            catch (TimeoutException)
            {
                await TypeAsync(typed.Reminder, cancellationToken);
            }
        }
    }

    /// <summary>Ends what runs, as a person at the terminal would; if it does not end, the next command waits for it.</summary>
    private async Task InterruptAsync()
    {
        try
        {
            foreach (byte key in (byte[])[Interrupt, Quit])
            {
                using var limit = new CancellationTokenSource(s_interruptLimit, _clock);
                await _console.WriteAsync(new[] { key }, limit.Token);
                if (await AnswersAsync(s_interruptLimit, CancellationToken.None))
                {
                    _synchronised = true;
                    return;
                }
            }
        }
        catch (Exception error) when (error is VirtigoException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The console has ended, or takes nothing: so does the next command find.
        }
    }

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
