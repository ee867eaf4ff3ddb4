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
    /// <inheritdoc/>
    public override string? Needs => Action is PowerAction.Pause or PowerAction.Resume ? "pause" : null;

    public required PowerAction Action { get; init; }

    public static Step From(StepValues values, PowerAction action) => new PowerStep
    {
        Place = values.Place,
        Title = values.Title,
        Machines = values.Texts("machines"),
        Action = action,
    };

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken) =>
        Task.WhenAll(Machines.Select(name => context.Target.Machine(name).PowerAsync(Action, cancellationToken)));
}
