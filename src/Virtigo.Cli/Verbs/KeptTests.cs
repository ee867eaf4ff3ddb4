using Virtigo.Cli.Output;
using Virtigo.Environments;

namespace Virtigo.Cli.Verbs;

/// <summary>Environments of tests that a person may look into: the first that failed, and those at a breakpoint. They end with this command.</summary>
internal sealed class KeptTests(Invocation run) : IAsyncDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Dictionary<VirtualEnvironment, EnvironmentKeeper> _atBreakpoint = [];
    private (string Test, EnvironmentKeeper Keeper)? _failed;
    private int _taken;

    /// <summary>Takes over the first environment that it is offered, and answers the commands that lead into it.</summary>
    public async Task<IReadOnlyList<string>?> KeepAsync(VirtualEnvironment environment, string test, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _taken, 1) != 0)
        {
            return null;
        }

        EnvironmentKeeper keeper = await EnvironmentKeeper.StartAsync(environment, null, run.Host.Paths, cancellationToken);
        _failed = (test, keeper);
        return Ways(environment, keeper);
    }

    /// <summary>Lets a person look into an environment until they press Enter.</summary>
    /// <returns>What ends with the test.</returns>
    public async Task<IAsyncDisposable?> BreakAsync(VirtualEnvironment environment, string place, CancellationToken cancellationToken)
    {
        // One at a time has the terminal.
        await _turn.WaitAsync(cancellationToken);
        try
        {
            bool first = !_atBreakpoint.TryGetValue(environment, out EnvironmentKeeper? keeper);
            keeper ??= await EnvironmentKeeper.StartAsync(environment, null, run.Host.Paths, cancellationToken);
            _atBreakpoint[environment] = keeper;
            run.People($"{Text.Plain(place)}: the machines wait for you; Enter lets them go on.");
            foreach (string way in Ways(environment, keeper))
            {
                run.People("  " + way);
            }

            // A line of the terminal cannot be waited for with a token: the reading has a task of its own, which is left behind.
            await Task.Run(Console.In.ReadLine, CancellationToken.None).WaitAsync(cancellationToken);
            return first ? keeper : null;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Waits, when an environment was kept, until it is taken down from elsewhere or this command is interrupted.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        if (_failed is not { } failed)
        {
            return;
        }

        run.People($"The machines of \"{Text.Plain(failed.Test)}\" run on as {failed.Keeper.Name}, until Ctrl-C here or: virtigo down {failed.Keeper.Name}");
        await Task.WhenAny(failed.Keeper.DownRequested, Task.Delay(Timeout.Infinite, cancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (EnvironmentKeeper keeper in _atBreakpoint.Values.Concat(_failed is { } failed ? [failed.Keeper] : []))
        {
            await keeper.DisposeAsync();
        }

        _turn.Dispose();
    }

    private static string[] Ways(VirtualEnvironment environment, EnvironmentKeeper keeper) =>
        [.. environment.Machines.Select(machine => $"virtigo shell {keeper.Name}/{machine.Name}")];
}
