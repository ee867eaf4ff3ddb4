using Virtigo.Hypervisors;

namespace Virtigo.Machines;

/// <summary>
/// One machine of an environment, from creation to destruction, through any number of power-ons. All limits are those of the reference
/// machine, scaled to this host. Members may be called at the same time from several threads.
/// </summary>
public sealed partial class Machine : IAsyncDisposable
{
    private static readonly TimeSpan s_endNotice = TimeSpan.FromSeconds(2);
    private readonly MachineConfig _config;
    private readonly SemaphoreSlim _power = new(1);
    private volatile MachineRun? _run;

    /// <summary>Makes a machine that is off.</summary>
    internal Machine(MachineConfig config) => _config = config;

    /// <summary>Its name in the environment.</summary>
    public string Name => _config.Name;

    /// <summary>Whether it runs now.</summary>
    public MachineState State => _run switch
    {
        null => MachineState.Off,
        { Guest.Exited.IsCompleted: true } => MachineState.Off,
        { Paused: true } => MachineState.Paused,
        _ => MachineState.Running,
    };

    /// <summary>Completes, never faults, with the end of the current power-on, or of the last one when the machine is off.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when the machine was never started.</exception>
    public Task<GuestExit> Exited => _run?.Guest.Exited
        ?? throw new VirtigoException(FailureKind.Usage, $"Machine {Name} was never started.");

    /// <summary>The running guest.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the machine is off.</exception>
    internal IGuest Guest => Running().Guest;

    /// <summary>Cuts the power and frees all that the machine holds; its disks belong to the environment.</summary>
    public async ValueTask DisposeAsync()
    {
        await _power.WaitAsync();
        try
        {
            if (_run is { } run)
            {
                await run.DisposeAsync();
            }
        }
        finally
        {
            _power.Release();
        }
    }

    private MachineRun Running()
    {
        MachineRun? run = _run;
        return run is null ? throw new VirtigoException(FailureKind.Guest, $"Machine {Name} is off.", $"Start it first.")
            : run.Guest.Exited.IsCompletedSuccessfully ? throw Ended(run, run.Guest.Exited.Result)
            : run;
    }

    private VirtigoException Ended(MachineRun run, GuestExit exit) =>
        new(FailureKind.Guest, $"Machine {Name} is off: {exit.Detail}{ConsoleLines(run)}", "Start it again, or look at its console.");

    private static string ConsoleLines(MachineRun run)
    {
        const int lines = 5;
        string tail = run.Console.Tail(lines);
        return tail.Length == 0 ? "" : $"\nIts console said last:\n{tail}";
    }

    /// <summary>Carries something out, not longer than a limit and not beyond the machine's end.</summary>
    /// <param name="run">The power-on.</param>
    /// <param name="limit">The limit on the reference machine.</param>
    /// <param name="action">What to do.</param>
    /// <param name="overdue">What to say when the limit passed: what was waited for, and the last that is known.</param>
    /// <param name="cancellationToken">Gives up.</param>
    private async Task<T> WithinAsync<T>(
        MachineRun run, TimeSpan limit, Func<CancellationToken, Task<T>> action, Func<TimeSpan, string> overdue, CancellationToken cancellationToken)
    {
        TimeSpan scaled = _config.Speed.Scale(limit);
        using var timeout = new CancellationTokenSource(scaled, _config.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        Task<T> acting = action(either.Token);
        await Task.WhenAny(acting, run.Guest.Exited);
        if (!acting.IsCompleted)
        {
            await either.CancelAsync();
        }

        try
        {
            return await acting;
        }
        catch (Exception error) when (error is IOException or VirtigoException { InnerException: IOException })
        {
            // A guest that ends closes its channels a moment before it is known to have ended.
            await Task.WhenAny(run.Guest.Exited, Task.Delay(s_endNotice, _config.Clock, cancellationToken));
            if (run.Guest.Exited.IsCompletedSuccessfully)
            {
                throw Ended(run, await run.Guest.Exited);
            }

            throw;
        }
        catch (Exception error) when (error is OperationCanceledException or VirtigoException { Kind: FailureKind.Guest }
            && run.Guest.Exited.IsCompletedSuccessfully && !cancellationToken.IsCancellationRequested)
        {
            throw Ended(run, await run.Guest.Exited);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new VirtigoException(FailureKind.TimedOut, overdue(scaled) + ConsoleLines(run));
        }
    }
}
