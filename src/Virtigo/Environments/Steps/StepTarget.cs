using Virtigo.Hypervisors;
using Virtigo.Machines;
using Virtigo.Networks;

namespace Virtigo.Environments.Steps;

/// <summary>A running environment as steps use it.</summary>
/// <param name="environment">The environment.</param>
internal sealed class StepTarget(VirtualEnvironment environment) : IStepTarget
{
    public IReadOnlyList<string> MachineNames => [.. environment.Machines.Select(machine => machine.Name)];

    public IReadOnlyList<OutwardPlace> Places => environment.Plan.Places;

    public IReadOnlyList<string> Archives => EnvironmentEgress.ArchivesOf(environment.Plan);

    public IStepMachine Machine(string name) => new StepMachine(environment[name]);

    public void SetFault(LinkSelector selector, LinkFault fault) => environment.Switch.SetFault(selector, fault);

    public void ClearFaults() => environment.Switch.ClearFaults();

    public void SetPartition(IReadOnlyList<LinkSelector> cuts) => environment.Switch.SetPartition(cuts);

    private sealed class StepMachine(Machine machine) : IStepMachine
    {
        public Task<CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken) =>
            machine.ExecuteAsync(command, options, cancellationToken);

        public async Task PowerAsync(PowerAction action, CancellationToken cancellationToken)
        {
            switch (action)
            {
                case PowerAction.Start:
                    await machine.StartAsync(cancellationToken);
                    await machine.WaitUntilReadyAsync(cancellationToken);
                    break;
                case PowerAction.Shutdown:
                    await machine.ShutdownAsync(cancellationToken);
                    break;
                case PowerAction.PowerCut:
                    await machine.PowerCutAsync(cancellationToken);
                    break;
                case PowerAction.Pause:
                    await machine.PauseAsync(cancellationToken);
                    break;
                case PowerAction.Resume:
                    await machine.ResumeAsync(cancellationToken);
                    break;
                default:
                    await machine.RebootAsync(cancellationToken);
                    break;
            }
        }

        public Task WaitAsync(WaitKind kind, string text, int port, TimeSpan limit, CancellationToken cancellationToken) => kind switch
        {
            WaitKind.Unit => machine.WaitForUnitAsync(text, limit, cancellationToken),
            WaitKind.Port => machine.WaitForPortAsync(port, limit, cancellationToken),
            WaitKind.ClosedPort => machine.WaitForClosedPortAsync(port, limit, cancellationToken),
            WaitKind.File => machine.WaitForFileAsync(text, limit, cancellationToken),
            WaitKind.Console => machine.WaitForConsoleAsync(text, limit, cancellationToken),
            WaitKind.Command => machine.WaitForCommandAsync(text, limit, cancellationToken),
            _ => machine.WaitForShutdownAsync(limit, cancellationToken),
        };

        public Task CopyInAsync(string from, string to, CancellationToken cancellationToken) => machine.CopyInAsync(from, to, cancellationToken);

        public Task CopyOutAsync(string from, string to, CancellationToken cancellationToken) => machine.CopyOutAsync(from, to, cancellationToken);

        public Task<byte[]> ScreenshotAsync(CancellationToken cancellationToken) => machine.ScreenshotAsync(cancellationToken);

        public Task<string> ScreenTextAsync(CancellationToken cancellationToken) => machine.ScreenTextAsync(cancellationToken);

        public Task<string> JournalAsync(string? unit, CancellationToken cancellationToken) => machine.JournalAsync(unit, cancellationToken);

        public Task SendKeysAsync(string chord, CancellationToken cancellationToken) => machine.SendKeysAsync(chord, cancellationToken);

        public Task TypeAsync(string text, CancellationToken cancellationToken) => machine.TypeAsync(text, cancellationToken);

        public Task<string> SysRqAsync(string key, CancellationToken cancellationToken) => machine.SysRqAsync(key, cancellationToken);

        public Task SetClockAsync(DateTimeOffset moment, CancellationToken cancellationToken) => machine.SetClockAsync(moment, cancellationToken);

        public Task MoveClockAsync(TimeSpan jump, CancellationToken cancellationToken) => machine.JumpClockAsync(jump, cancellationToken);

        public Task SkewClockAsync(double partsPerMillion, CancellationToken cancellationToken) => machine.SkewClockAsync(partsPerMillion, cancellationToken);

        public Task SetDiskFaultAsync(string disk, DiskFault fault, CancellationToken cancellationToken) =>
            machine.SetDiskFaultAsync(machine.DiskNumber(disk), fault, cancellationToken);
    }
}
