namespace Virtigo.Environments.Steps;

/// <summary>What is waited for in a machine.</summary>
internal enum WaitKind
{
    Unit,
    Port,
    ClosedPort,
    File,
    Console,
    Command,
    Shutdown,
}

/// <summary>Waits until something is so in a machine, at most a given time.</summary>
internal sealed record WaitStep : Step
{
    /// <summary>The limit when none is written.</summary>
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromMinutes(1);

    /// <summary>The kinds as they are written.</summary>
    public static readonly string[] Kinds = ["unit", "port", "closed port", "file", "console", "command", "shutdown"];

    public required string Machine { get; init; }

    public required WaitKind Kind { get; init; }

    /// <summary>The unit, path, text or command.</summary>
    public string Text { get; init; } = "";

    public int Port { get; init; }

    public TimeSpan Within { get; init; } = DefaultLimit;

    public static Step? Read(StepValues values)
    {
        if (values.Machine("machine") is not { } machine)
        {
            values.Wrong(null, "wait for: the machine is missing, as in: wait for: {machine: server, unit: nginx}");
            return null;
        }

        return values.ExactlyOne("wait for", Kinds) is not { } kind
            ? null
            : new WaitStep
            {
                Place = values.Place,
                Title = values.Title,
                Machines = [machine],
                Machine = machine,
                Kind = (WaitKind)Array.IndexOf(Kinds, kind),
                Text = kind is "port" or "closed port" or "shutdown" ? "" : values.Text(kind)!,
                Port = kind is "port" or "closed port" ? values.Value<int>(kind)!.Value : 0,
                Within = values.Value<TimeSpan>("within") ?? DefaultLimit,
            };
    }

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken) =>
        context.Target.Machine(Machine).WaitAsync(Kind, Text, Port, Within, cancellationToken);
}
