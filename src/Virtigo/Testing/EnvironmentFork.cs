using Virtigo.Environments;
using Virtigo.Environments.Steps;
using Virtigo.Hypervisors;
using Virtigo.Machines;
using Virtigo.Networks;

namespace Virtigo.Testing;

/// <summary>A fork of a real environment. With a folder for artifacts, what the machines send is recorded from the start.</summary>
internal sealed class EnvironmentFork : ITestFork
{
    private const int MaxConsoleLines = 20_000;
    private readonly List<IAsyncDisposable> _owned = [];

    /// <summary>Takes over an environment.</summary>
    /// <param name="environment">The environment; disposed with the fork.</param>
    /// <param name="artifacts">Where its recordings go, or null.</param>
    public EnvironmentFork(VirtualEnvironment environment, string? artifacts)
    {
        (Environment, Target) = (environment, new StepTarget(environment));
        foreach ((MachinePlan machine, NicPlan nic) in artifacts is null ? [] : environment.Plan.Machines.SelectMany(machine => machine.Nics.Select(nic => (machine, nic))))
        {
            string folder = Directory.CreateDirectory(Path.Combine(artifacts!, machine.Name)).FullName;
            _owned.Add(environment.Switch.Capture(new CapturePoint(nic.Network, machine.Name), Path.Combine(folder, $"{nic.Network}.pcap")));
        }
    }

    /// <summary>The environment.</summary>
    public VirtualEnvironment Environment { get; }

    public IStepTarget Target { get; }

    /// <summary>Has something disposed before the environment is.</summary>
    public void Own(IAsyncDisposable? owned)
    {
        if (owned is not null)
        {
            _owned.Add(owned);
        }
    }

    public Stream? OpenConsole(string machine) => Environment[machine] is { State: not MachineState.Off } on ? on.OpenConsole() : null;

    public IReadOnlyList<string> ConsoleTail(string machine, int lines) =>
        Environment[machine].ConsoleTail(lines).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public IReadOnlyList<string> Refusals(bool listedOnly) => Environment.RefusalsOf(listedOnly);

    public string? LostMachine()
    {
        foreach (Machine machine in Environment.Machines)
        {
            if (machine.Exited is { IsCompletedSuccessfully: true, Result: { Reason: GuestExitReason.HypervisorDied or GuestExitReason.HostDiskError } exit })
            {
                return $"{machine.Name}: {exit.Detail}";
            }
        }

        return null;
    }

    public async Task CollectAsync(string folder, bool failed, IReadOnlyList<string> files, CancellationToken cancellationToken)
    {
        var problems = new List<string>();
        async Task TryAsync(string what, Func<Task> keep)
        {
            try
            {
                await keep();
            }
            catch (Exception error) when (error is VirtigoException or MachineCommandException or IOException or UnauthorizedAccessException)
            {
                problems.Add($"{what}: {error.Message}");
            }
        }

        foreach (Machine machine in Environment.Machines)
        {
            string own = Directory.CreateDirectory(Path.Combine(folder, machine.Name)).FullName;
            await TryAsync($"{machine.Name}: console", () => File.WriteAllTextAsync(Path.Combine(own, "console.log"), machine.ConsoleTail(MaxConsoleLines) + "\n", cancellationToken));
            if (machine.State == MachineState.Running)
            {
                await TryAsync($"{machine.Name}: journal", async () =>
                    await File.WriteAllTextAsync(Path.Combine(own, "journal.log"), await machine.JournalAsync(null, cancellationToken) + "\n", cancellationToken));
                if (failed)
                {
                    await TryAsync($"{machine.Name}: screen", () => ScreenAsync(machine, Path.Combine(own, "screen.png"), cancellationToken));
                }
            }
        }

        foreach (string[] file in files.Select(file => file.Split(':', 2)))
        {
            await TryAsync(string.Join(':', file), () => CopyAsync(file[0], file[1], folder, cancellationToken));
        }

        if (problems.Count > 0)
        {
            throw new VirtigoException(FailureKind.Guest, string.Join("; ", problems));
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            foreach (IAsyncDisposable one in _owned)
            {
                await one.DisposeAsync();
            }
        }
        finally
        {
            await Environment.DisposeAsync();
        }
    }

    private static async Task ScreenAsync(Machine machine, string path, CancellationToken cancellationToken)
    {
        try
        {
            await File.WriteAllBytesAsync(path, await machine.ScreenshotAsync(cancellationToken), cancellationToken);
        }
        catch (VirtigoException none) when (none.Kind == FailureKind.Usage)
        {
            // The machine has no screen.
        }
    }

    private async Task CopyAsync(string machine, string from, string folder, CancellationToken cancellationToken)
    {
        string to = Path.Combine(folder, machine, "files", from.Trim('/').Replace('/', '-') is { Length: > 0 } name and not ("." or "..") ? name : "root");
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        await Target.Machine(machine).CopyOutAsync(from, to, cancellationToken);
    }
}
