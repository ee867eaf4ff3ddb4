using System.Text;
using Virtigo.Appliances;

namespace Virtigo.Environments.Steps;

/// <summary>Reads a text that a machine shows, and checks what is in it.</summary>
internal abstract record TextStep : Step
{
    public required string Machine { get; init; }

    /// <summary>Texts that must be in it.</summary>
    public IReadOnlyList<string> Prints { get; init; } = [];

    /// <summary>Texts that must not be in it.</summary>
    public IReadOnlyList<string> PrintsNot { get; init; } = [];

    /// <summary>Tried again until it is as expected, at most this long; null: once.</summary>
    public TimeSpan? Within { get; init; }

    /// <summary>What the text is called in messages.</summary>
    protected abstract string What { get; }

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken) =>
        StepRetry.RunAsync(context, Machine, Within, async (_, token) =>
        {
            string text = await TextAsync(context.Target.Machine(Machine), token);
            context.Output.Append(Encoding.UTF8.GetBytes(text + "\n"), false);
            return Wrong(text, Prints, PrintsNot, What);
        }, cancellationToken);

    /// <summary>What is wrong with a text, as a part of a sentence; null when it is as expected.</summary>
    internal static string? Wrong(string text, IReadOnlyList<string> prints, IReadOnlyList<string> printsNot, string what) =>
        prints.FirstOrDefault(wanted => !text.Contains(wanted, StringComparison.Ordinal)) is { } missing
            ? $"{what} does not have {SpecProblems.Quote(missing)}"
            : printsNot.FirstOrDefault(unwanted => text.Contains(unwanted, StringComparison.Ordinal)) is { } found
                ? $"{what} has {SpecProblems.Quote(found)}, which was not expected"
                : null;

    /// <summary>Reads the text.</summary>
    protected abstract Task<string> TextAsync(IStepMachine machine, CancellationToken cancellationToken);

    /// <summary>The machine of the step; null: a problem was added.</summary>
    protected static string? MachineOf(StepValues values, string verb)
    {
        if (values.Machine("machine") is { } machine)
        {
            return machine;
        }

        values.Wrong(null, $"{verb}: the machine is missing, as in: {verb}: server");
        return null;
    }
}

/// <summary>Reads the text on a machine's screen.</summary>
internal sealed record ScreenTextStep : TextStep
{
    /// <inheritdoc/>
    public override string? Needs => "screen";

    protected override string What => "the screen";

    public static Step? Read(StepValues values) => MachineOf(values, "screen text") is not { } machine ? null : new ScreenTextStep
    {
        Place = values.Place,
        Title = values.Title,
        Machines = [machine],
        Machine = machine,
        Prints = values.Texts("prints"),
        PrintsNot = values.Texts("not prints"),
        Within = values.Value<TimeSpan>("within"),
    };

    protected override Task<string> TextAsync(IStepMachine machine, CancellationToken cancellationToken) => machine.ScreenTextAsync(cancellationToken);
}

/// <summary>Reads a machine's journal.</summary>
internal sealed record JournalStep : TextStep
{
    /// <summary>Only of this unit; null for all.</summary>
    public string? Unit { get; init; }

    protected override string What => "the journal";

    public static Step? Read(StepValues values) => MachineOf(values, "journal") is not { } machine ? null : new JournalStep
    {
        Place = values.Place,
        Title = values.Title,
        Machines = [machine],
        Machine = machine,
        Unit = values.Text("unit"),
        Prints = values.Texts("prints"),
        PrintsNot = values.Texts("not prints"),
        Within = values.Value<TimeSpan>("within"),
    };

    protected override Task<string> TextAsync(IStepMachine machine, CancellationToken cancellationToken) => machine.JournalAsync(Unit, cancellationToken);
}
