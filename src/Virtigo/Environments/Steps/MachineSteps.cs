using System.Text;
using Virtigo.Hypervisors;

namespace Virtigo.Environments.Steps;

/// <summary>Makes a disk faulty, or whole again.</summary>
internal sealed record DiskStep : Step
{
    /// <inheritdoc/>
    public override string? Needs => "disk faults";

    /// <summary>The faults as they are written.</summary>
    public static readonly string[] Faults = ["none", "error", "full", "slow", LostWrites];

    /// <summary>What a power cut loses, as it is written.</summary>
    public static readonly string[] Losses = ["all", "some"];

    private const string LostWrites = "lost writes";

    public required string Machine { get; init; }

    /// <summary>The disk's name, or its number from 0.</summary>
    public required string Disk { get; init; }

    public required DiskFault Fault { get; init; }

    /// <summary>Checks how a disk is named.</summary>
    public static string? CheckDisk(string value)
    {
        const int most = 25;
        return value == Images.ImageManifest.FirstDiskName || Appliances.ValueChecks.DiskName(value) is null
            || (int.TryParse(value, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int number) && number <= most) ? null
            : "is no disk: expected the name of one, or a number from 0 to 25";
    }

    public static Step? Read(StepValues values)
    {
        if (values.Machine("machine") is not { } machine || values.Text("fault") is not { } fault)
        {
            values.Wrong(null, "disk: the machine and the fault are needed, as in: disk: {machine: server, fault: full}");
            return null;
        }

        long? rate = values.Value<long>("rate");
        if (fault == "slow" != rate is not null || rate < 1024)
        {
            values.Wrong(rate is null ? "fault" : "rate", rate < 1024 ? "disk: a disk is no slower than 1024B/s; expected a higher rate"
                : "disk: a rate belongs to the fault slow and to no other, as in: disk: {machine: server, fault: slow, rate: 1MB/s}");
            return null;
        }

        if (fault != LostWrites && values.Has("lost"))
        {
            values.Wrong("lost", "disk: lost belongs to the fault lost writes and to no other, as in: disk: {machine: server, fault: lost writes, lost: some}");
            return null;
        }

        return new DiskStep
        {
            Place = values.Place,
            Title = values.Title,
            Machines = [machine],
            Machine = machine,
            Disk = values.Text("disk") ?? "0",
            Fault = new DiskFault(fault switch
            {
                "error" => DiskFaultKind.Error,
                "full" => DiskFaultKind.Full,
                "slow" => DiskFaultKind.Slow,
                LostWrites => DiskFaultKind.LostWrites,
                _ => DiskFaultKind.None,
            }, rate ?? 0)
            {
                Loss = values.Text("lost") == "some" ? DiskLoss.Some : DiskLoss.All,
            },
        };
    }

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken) =>
        context.Target.Machine(Machine).SetDiskFaultAsync(Disk, Fault, cancellationToken);
}

/// <summary>Sets, moves or bends a machine's clock.</summary>
internal sealed record ClockStep : Step
{
    public required string Machine { get; init; }

    public DateTimeOffset? Set { get; init; }

    public TimeSpan? Jump { get; init; }

    /// <summary>How much faster it goes, in parts per million.</summary>
    public double? Skew { get; init; }

    public static Step? Read(StepValues values)
    {
        if (values.Machine("machine") is not { } machine)
        {
            values.Wrong(null, "clock: the machine is missing, as in: clock: {machine: server, jump: +2h}");
            return null;
        }

        return values.ExactlyOne("clock", "set", "jump", "skew") is null
            ? null
            : new ClockStep
            {
                Place = values.Place,
                Title = values.Title,
                Machines = [machine],
                Machine = machine,
                Set = values.Value<DateTimeOffset>("set"),
                Jump = values.Value<TimeSpan>("jump"),
                Skew = values.Value<double>("skew"),
            };
    }

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        IStepMachine machine = context.Target.Machine(Machine);
        return (Set, Jump) switch
        {
            ({ } moment, _) => machine.SetClockAsync(moment, cancellationToken),
            (_, { } jump) => machine.MoveClockAsync(jump, cancellationToken),
            _ => machine.SkewClockAsync(Skew!.Value, cancellationToken),
        };
    }
}

/// <summary>Presses keys on a machine's keyboard, or types a text.</summary>
internal sealed record KeysStep : Step
{
    /// <inheritdoc/>
    public override string? Needs => "keys";

    public required string Machine { get; init; }

    /// <summary>Chords, pressed one after the other.</summary>
    public IReadOnlyList<string> Press { get; init; } = [];

    public string? Type { get; init; }

    public static Step? Read(StepValues values)
    {
        if (values.Machine("machine") is not { } machine)
        {
            values.Wrong(null, "keys: the machine is missing, as in: keys: {machine: server, press: ctrl-alt-delete}");
            return null;
        }

        return values.ExactlyOne("keys", "press", "type") is null
            ? null
            : new KeysStep
            {
                Place = values.Place,
                Title = values.Title,
                Machines = [machine],
                Machine = machine,
                Press = values.Texts("press"),
                Type = values.Text("type"),
            };
    }

    public override async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        IStepMachine machine = context.Target.Machine(Machine);
        foreach (string chord in Press)
        {
            await machine.SendKeysAsync(chord, cancellationToken);
        }

        if (Type is { } text)
        {
            await machine.TypeAsync(text, cancellationToken);
        }
    }
}

/// <summary>Gives a machine's kernel a SysRq command.</summary>
internal sealed record SysRqStep : Step
{
    /// <inheritdoc/>
    public override string? Needs => "sysrq";

    public required string Machine { get; init; }

    public required string Key { get; init; }

    public static Step? Read(StepValues values)
    {
        if (values.Machine("machine") is not { } machine || values.Text("key") is not { } key)
        {
            values.Wrong(null, "sysrq: the machine and the key are needed, as in: sysrq: {machine: server, key: b}");
            return null;
        }

        return new SysRqStep { Place = values.Place, Title = values.Title, Machines = [machine], Machine = machine, Key = key };
    }

    public override async Task RunAsync(StepContext context, CancellationToken cancellationToken) =>
        context.Output.Append(Encoding.UTF8.GetBytes(await context.Target.Machine(Machine).SysRqAsync(Key, cancellationToken) + "\n"), isError: false);
}

/// <summary>Stops so that a person can look around; goes on at once when there is none.</summary>
internal sealed record BreakpointStep : Step
{
    public static Step Read(StepValues values) => new BreakpointStep { Place = values.Place, Title = values.Title };

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken) =>
        context.Breakpoint?.Invoke(this, cancellationToken) ?? Task.CompletedTask;
}
