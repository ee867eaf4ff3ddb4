using System.Globalization;
using System.Text;
using Virtigo.Machines;

namespace Virtigo.Environments.Steps;

/// <summary>Runs a command in a machine and checks what it does.</summary>
internal sealed record CommandStep : Step
{
    /// <inheritdoc/>
    public override string? Needs => Input is null ? null : "streams";

    private const int MaxPrinted = 1 << 20;

    public required string Machine { get; init; }

    public required string Command { get; init; }

    /// <summary>Tried again until it is as expected, at most this long; null: once.</summary>
    public TimeSpan? Within { get; init; }

    /// <summary>Whether any exit code but 0 is expected.</summary>
    public bool Fails { get; init; }

    /// <summary>The exit code expected.</summary>
    public int? Exit { get; init; }

    public string? User { get; init; }

    public string? Directory { get; init; }

    public string? Input { get; init; }

    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>();

    /// <summary>Texts that must be in the standard output.</summary>
    public IReadOnlyList<string> Prints { get; init; } = [];

    /// <summary>Texts that must not be in the standard output.</summary>
    public IReadOnlyList<string> PrintsNot { get; init; } = [];

    public static Step? From(StepValues values, string machine)
    {
        if (values.Text("run") is not { } command)
        {
            values.Wrong(null, $"{machine}: the command is missing, as in: {machine}: {{run: systemctl is-active nginx, within: 30s}}");
            return null;
        }

        if (values.Has("exit") && values.Has("fails"))
        {
            values.Wrong("fails", $"{machine}: exit and fails are both given; keep one");
            return null;
        }

        return new CommandStep
        {
            Place = values.Place,
            Title = values.Title,
            Machines = [machine],
            Machine = machine,
            Command = command,
            Within = values.Value<TimeSpan>("within"),
            Fails = values.Value<bool>("fails") ?? false,
            Exit = values.Value<int>("exit"),
            User = values.Text("user"),
            Directory = values.Text("directory"),
            Input = values.Text("input"),
            Variables = values.Variables("env"),
            Prints = values.Texts("prints"),
            PrintsNot = values.Texts("not prints"),
        };
    }

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken) =>
        StepRetry.RunAsync(context, Machine, Within, async (limit, token) => Problem(await ExecuteAsync(context, limit, token)), cancellationToken);

    /// <summary>What is wrong with a result, as a part of a sentence; null when it is as expected.</summary>
    internal string? Problem(CommandResult result)
    {
        if (Exit is { } exit ? result.ExitCode != exit : Fails == (result.ExitCode == 0))
        {
            string expected = Exit is { } code ? code.ToString(CultureInfo.InvariantCulture) : Fails ? "a failure" : "0";
            return string.Create(CultureInfo.InvariantCulture, $"exit code {result.ExitCode}{Meaning(result.ExitCode)}, expected {expected}");
        }

        string cut = result.Truncated ? " (only its first mebibyte was read)" : "";
        return TextStep.Wrong(result.Output, Prints, PrintsNot, "the output" + cut);
    }

    private static string Meaning(int code) => code switch
    {
        126 => " (it cannot be executed)",
        127 => " (no such command in the guest)",
        > 128 and <= 128 + 64 => string.Create(CultureInfo.InvariantCulture, $" (ended by signal {code - 128})"),
        _ => "",
    };

    private Task<CommandResult> ExecuteAsync(StepContext context, TimeSpan limit, CancellationToken cancellationToken) =>
        context.Target.Machine(Machine).ExecuteAsync(Command, new CommandOptions
        {
            User = User,
            WorkingDirectory = Directory,
            Environment = Variables,
            Input = Encoding.UTF8.GetBytes(Input ?? ""),
            Limit = limit,
            OutputLimit = MaxPrinted,
            OnOutput = context.Output.Append,
        }, cancellationToken);
}
