using Virtigo.Machines;

namespace Virtigo.Environments.Steps;

/// <summary>What is done to a machine's power.</summary>
internal enum PowerAction
{
    Start,
    Shutdown,
    Reboot,
    PowerCut,
    Pause,
    Resume,
}

/// <summary>Does something to the power of machines, all at once.</summary>
internal sealed record PowerStep : Step
{
    public required PowerAction Action { get; init; }

    public static Step From(StepValues values, PowerAction action) => new PowerStep
    {
        Place = values.Place,
        Title = values.Title,
        Machines = values.Texts("machines"),
        Action = action,
    };

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken) =>
        Task.WhenAll(Machines.Select(name => ActAsync(context.Target.Machine(name), cancellationToken)));

    private Task ActAsync(Machine machine, CancellationToken cancellationToken) => Action switch
    {
        PowerAction.Start => machine.StartAsync(cancellationToken),
        PowerAction.Shutdown => machine.ShutdownAsync(cancellationToken),
        PowerAction.Reboot => machine.RebootAsync(cancellationToken),
        PowerAction.PowerCut => machine.PowerCutAsync(cancellationToken),
        PowerAction.Pause => machine.PauseAsync(cancellationToken),
        _ => machine.ResumeAsync(cancellationToken),
    };
}
