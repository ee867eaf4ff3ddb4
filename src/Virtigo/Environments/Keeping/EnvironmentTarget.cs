using Virtigo.Environments.Steps;
using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>A running environment as its control socket sees it.</summary>
/// <param name="environment">The environment.</param>
/// <param name="info">What is said of it.</param>
/// <param name="forwards">Its published ports.</param>
/// <param name="ssh">The way in by SSH.</param>
internal sealed class EnvironmentTarget(
    VirtualEnvironment environment, KeptInfo info, IReadOnlyList<PortForwarder> forwards, SshAccess ssh) : IControlTarget
{
    // A person ends what takes too long.
    private static readonly TimeSpan s_commandLimit = TimeSpan.FromDays(1);
    private readonly Random _chances = new((int)(environment.Plan.Spec.Seed & int.MaxValue));

    /// <inheritdoc/>
    public RunningStatus Status() => new(info.Name, info.File, info.Since, info.ProcessId,
        [.. environment.Plan.Machines.Zip(environment.Machines).Select(pair => Status(pair.First, pair.Second))],
        [.. forwards.Select(forward => new RunningForward(forward.Machine, forward.Port, forward.Endpoint.ToString()))])
    {
        Refusals = environment.Refusals,
    };

    /// <inheritdoc/>
    public async Task PowerAsync(string machine, PowerOrder order, CancellationToken cancellationToken)
    {
        Machine which = environment[machine];
        switch (order)
        {
            case PowerOrder.Start:
                await which.StartAsync(cancellationToken);
                await which.WaitUntilReadyAsync(cancellationToken);
                break;
            case PowerOrder.Shutdown:
                await which.ShutdownAsync(cancellationToken);
                break;
            case PowerOrder.Reboot:
                await which.RebootAsync(cancellationToken);
                break;
            case PowerOrder.Cut:
                await which.PowerCutAsync(cancellationToken);
                break;
            case PowerOrder.Pause:
                await which.PauseAsync(cancellationToken);
                break;
            default:
                await which.ResumeAsync(cancellationToken);
                break;
        }
    }

    /// <inheritdoc/>
    public Task<GuestProcess> StartAsync(string machine, IReadOnlyList<string> arguments, CommandOptions options, CancellationToken cancellationToken) =>
        environment[machine].StartProcessAsync(arguments, options, cancellationToken);

    /// <inheritdoc/>
    public Task<Stream> ConnectAsync(string machine, int port, CancellationToken cancellationToken) =>
        environment[machine].ConnectAsync(port, cancellationToken);

    /// <inheritdoc/>
    public Stream OpenConsole(string machine) => environment[machine].OpenConsole();

    /// <inheritdoc/>
    public string ConsoleTail(string machine, int lines) => environment[machine].ConsoleTail(lines);

    /// <inheritdoc/>
    public StepContext Steps(string folder, StepOutput output)
    {
        lock (_chances)
        {
            return new StepContext
            {
                Target = new StepTarget(environment),
                BaseFolder = folder,
                ArtifactsFolder = folder,
                HasMachineFolders = false,
                Output = output,
                Speed = environment.Speed,
                Clock = environment.Clock,
                Random = new Random(_chances.Next()),
                CommandLimit = s_commandLimit,
            };
        }
    }

    /// <inheritdoc/>
    public Task PrepareSshAsync(string? machine, CancellationToken cancellationToken) =>
        machine is null ? ssh.MakeKeysAsync(cancellationToken) : ssh.PrepareAsync(environment[machine], cancellationToken);

    private static RunningMachine Status(MachinePlan plan, Machine machine) => new(machine.Name, machine.State, plan.MemoryMiB, plan.Cpus,
        [.. plan.Nics.Select(nic => new RunningAddress(nic.Network, nic.Address.ToString(), nic.Ipv6.ToString()))]);
}
