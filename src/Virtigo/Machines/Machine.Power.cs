using Virtigo.Hypervisors;

namespace Virtigo.Machines;

public sealed partial class Machine
{
    private static readonly TimeSpan s_bootLimit = TimeSpan.FromMinutes(6);
    private static readonly TimeSpan s_answerLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_rebootPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_shutdownLimit = TimeSpan.FromMinutes(3);

    /// <summary>
    /// Switches the machine on, from power-off, on the disks as they are. It is booting when this returns; commands and waits wait until
    /// it answers. Does nothing to one that is on.
    /// </summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when the host cannot start it.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _power.WaitAsync(cancellationToken);
        try
        {
            if (State != MachineState.Off)
            {
                return;
            }

            await ReplaceAsync(await _config.Hypervisor.StartAsync(_config.Guest, cancellationToken));
        }
        finally
        {
            _power.Release();
        }
    }

    /// <summary>
    /// Takes over a guest that is a running copy of another: in one round trip, what its source had open is dropped, its clock is set and
    /// its entropy stirred.
    /// </summary>
    /// <param name="guest">The guest, running, not paused; the machine disposes it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    internal async Task AttachAsync(IGuest guest, CancellationToken cancellationToken)
    {
        await _power.WaitAsync(cancellationToken);
        try
        {
            await ReplaceAsync(guest);
            await _run!.RefreshAsync(cancellationToken);
        }
        finally
        {
            _power.Release();
        }
    }

    /// <summary>Makes the machine ready for being copied as it runs: the first command in a copy begins sooner. Does nothing to one that is off.</summary>
    internal Task PrepareForCopiesAsync(CancellationToken cancellationToken) => _run?.PrepareForCopiesAsync(cancellationToken) ?? Task.CompletedTask;

    /// <summary>Waits until the machine answers commands, at most six minutes.</summary>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.TimedOut"/> when it does not, <see cref="FailureKind.Guest"/> when it is off or ends.
    /// </exception>
    public Task WaitUntilReadyAsync(CancellationToken cancellationToken) => ShellAsync(Running(), cancellationToken);

    /// <summary>
    /// Asks the machine's system to power off, through its agent or else by the power button, and waits until it has, at most three minutes.
    /// </summary>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.TimedOut"/> when it stays on, <see cref="FailureKind.Guest"/> when it is off or does not end cleanly.
    /// </exception>
    public async Task ShutdownAsync(CancellationToken cancellationToken)
    {
        await Running().AskToShutDownAsync(cancellationToken);
        await WaitForShutdownAsync(s_shutdownLimit, cancellationToken);
    }

    /// <summary>Waits until the machine has switched itself off.</summary>
    /// <param name="limit">The limit on the reference machine.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.TimedOut"/> when it stays on, <see cref="FailureKind.Guest"/> when it does not end cleanly.
    /// </exception>
    public async Task WaitForShutdownAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        MachineRun run = _run ?? Running();
        GuestExit exit = await WithinAsync(run, limit, token => run.Guest.Exited.WaitAsync(token),
            waited => $"Machine {Name} did not switch itself off within {waited.TotalSeconds:0} s.", cancellationToken);
        if (exit.Reason != GuestExitReason.GuestShutdown)
        {
            throw Ended(run, exit);
        }
    }

    /// <summary>
    /// Pulls the plug: what the guest had not written to its disks is lost, and with <see cref="DiskFaultKind.LostWrites"/> what it had written
    /// and not flushed. Does nothing to a machine that is off.
    /// </summary>
    public async Task PowerCutAsync(CancellationToken cancellationToken)
    {
        if (_run is { } run)
        {
            await run.Guest.KillAsync(cancellationToken);
        }
    }

    /// <summary>Stops the machine's processors: nothing in it notices. Does nothing to one that is paused.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the machine is off.</exception>
    public async Task PauseAsync(CancellationToken cancellationToken)
    {
        MachineRun run = Running();
        await run.Guest.PauseAsync(cancellationToken);
        run.Paused = true;
    }

    /// <summary>
    /// Lets a paused machine go on, and sets its clock to the host's, as a fork's is: it stood still. A machine that does not answer soon
    /// keeps what it has. Does nothing to one that runs.
    /// </summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the machine is off.</exception>
    public async Task ResumeAsync(CancellationToken cancellationToken)
    {
        MachineRun run = Running();
        await run.Guest.ResumeAsync(cancellationToken);
        if (run.Paused)
        {
            run.Paused = false;
            await run.SetClockAsync(cancellationToken);
        }
    }

    /// <summary>Reboots the machine, as its own system does, and waits until it answers again, at most six minutes.</summary>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.TimedOut"/> when it does not come back, <see cref="FailureKind.Guest"/> when it is off or ends.
    /// </exception>
    public async Task RebootAsync(CancellationToken cancellationToken)
    {
        MachineRun run = Running();
        string before = await WithinAsync(run, s_bootLimit, run.BootIdAsync,
            waited => $"Machine {Name} did not answer within {waited.TotalSeconds:0} s, so it could not be rebooted.", cancellationToken);
        IGuestShell shell = await ShellAsync(run, cancellationToken);
        await WithinAsync(run, s_bootLimit, async token =>
        {
            // Answers when the reboot was asked for; what comes after it may be cut off.
            await shell.ExecuteAsync(run.RebootCommand, new CommandOptions(), token);
            while (await BootIdOrNothingAsync(run, token) is var now && (now.Length == 0 || now == before))
            {
                await Task.Delay(s_rebootPause, _config.Clock, token);
            }

            run.Forget("the machine was rebooted");
            return await run.ShellAsync(token);
        }, waited => $"Machine {Name} did not come back from its reboot within {waited.TotalSeconds:0} s.", cancellationToken);
    }

    private async Task<string> BootIdOrNothingAsync(MachineRun run, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(_config.Speed.Scale(s_answerLimit), _config.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await run.BootIdAsync(either.Token);
        }
        catch (Exception error) when (error is OperationCanceledException or VirtigoException { InnerException: not IOException }
            && !cancellationToken.IsCancellationRequested)
        {
            return "";
        }
    }

    private async Task ReplaceAsync(IGuest guest)
    {
        MachineRun? before = _run;
        _run = new MachineRun(_config, guest);
        if (before is not null)
        {
            await before.DisposeAsync();
        }
    }

    private Task<IGuestShell> ShellAsync(MachineRun run, CancellationToken cancellationToken) => WithinAsync(run, s_bootLimit, token => ShellUnlessCrashedAsync(run, token),
        waited => $"Machine {Name} did not answer within {waited.TotalSeconds:0} s.", cancellationToken);

    /// <summary>A system that has crashed says so and stands still: nobody will ever answer.</summary>
    private async Task<IGuestShell> ShellUnlessCrashedAsync(MachineRun run, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<IGuestShell> answer = run.ShellAsync(over.Token);
        if (answer.IsCompleted)
        {
            return await answer;
        }

        Task[] crashes = [.. GuestCrash.Words.Select(words => run.Console.SaysAsync(words, over.Token))];
        Task first = await Task.WhenAny([answer, .. crashes]);
        await over.CancelAsync();
        await Task.WhenAll([answer, .. crashes]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        int crash = Array.FindIndex(crashes, task => task.IsCompletedSuccessfully);
        return first == answer || crash < 0 ? await answer
            : throw GuestCrash.Failure(FailureKind.Guest, $"Machine {Name}", crash, ConsoleLines(run), "Cut its power and start it again; if it happens again, look at its console.");
    }
}
