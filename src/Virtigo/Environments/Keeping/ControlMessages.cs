using System.Text.Json.Serialization;

namespace Virtigo.Environments;

/// <summary>What a client asks of a kept environment; one on each connection.</summary>
internal sealed record ControlRequest
{
    /// <summary>What is asked for.</summary>
    public required ControlVerb Verb { get; init; }

    /// <summary>The machine it is about.</summary>
    public string? Machine { get; init; }

    /// <summary>What is to happen to the machine's power.</summary>
    public PowerOrder Power { get; init; }

    /// <summary>A program and its arguments.</summary>
    public IReadOnlyList<string>? Arguments { get; init; }

    /// <summary>The user in the guest.</summary>
    public string? User { get; init; }

    /// <summary>The folder in the guest.</summary>
    public string? Folder { get; init; }

    /// <summary>Variables for the program.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>The kind of terminal to run on; null for pipes.</summary>
    public string? Terminal { get; init; }

    /// <summary>The terminal's width in characters.</summary>
    public int Columns { get; init; }

    /// <summary>The terminal's height in lines.</summary>
    public int Rows { get; init; }

    /// <summary>A TCP port in the guest.</summary>
    public int Port { get; init; }

    /// <summary>How many lines are wanted at most.</summary>
    public int Lines { get; init; }

    /// <summary>Steps to carry out; their files lie in <see cref="Folder"/>, of the host's.</summary>
    public IReadOnlyList<StepText>? Steps { get; init; }
}

/// <summary>What can be asked of a kept environment.</summary>
internal enum ControlVerb
{
    /// <summary>Nothing: not a request.</summary>
    None,

    /// <summary>How it is.</summary>
    Status,

    /// <summary>To end it; answered when nothing of it is left.</summary>
    Down,

    /// <summary>To switch a machine.</summary>
    Power,

    /// <summary>To run a program; streams follow the answer.</summary>
    Start,

    /// <summary>To connect to a port; streams follow the answer.</summary>
    Connect,

    /// <summary>To read and write a console; streams follow the answer.</summary>
    Console,

    /// <summary>The last lines of a console.</summary>
    ConsoleTail,

    /// <summary>To make a machine ready for SSH through its channel.</summary>
    Ssh,

    /// <summary>To carry out steps; what happens follows the answer.</summary>
    Steps,
}

/// <summary>The answer to a request.</summary>
internal sealed record ControlAnswer
{
    /// <summary>Why it failed; null: it did not.</summary>
    public ControlError? Error { get; init; }

    /// <summary>How the environment is, when that was asked.</summary>
    public RunningStatus? Status { get; init; }

    /// <summary>Text that was asked for.</summary>
    public string? Text { get; init; }
}

/// <summary>A step begins or has ended.</summary>
internal sealed record ControlStep
{
    /// <summary>Its number, from 1.</summary>
    public required int Number { get; init; }

    /// <summary>Whether it has ended.</summary>
    public bool Ended { get; init; }

    /// <summary>How long it took.</summary>
    public double Seconds { get; init; }

    /// <summary>Why it failed; null: it did not.</summary>
    public ControlError? Error { get; init; }
}

/// <summary>A failure on its way to the client.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Hint">What to do, or null.</param>
internal sealed record ControlError(FailureKind Kind, string Message, string? Hint)
{
    /// <summary>The failure as it is told.</summary>
    public static ControlError Of(Exception failure) => failure is VirtigoException told
        ? new ControlError(told.Kind, told.Message, told.Hint)
        : new ControlError(FailureKind.Internal, $"A defect of Virtigo in the keeper of the environment: {failure.GetType().Name}: {failure.Message}", null);

    /// <summary>The failure to throw.</summary>
    public VirtigoException ToException() => new(Enum.IsDefined(Kind) ? Kind : FailureKind.Internal, Message, Hint);
}

/// <summary>What the folder of a kept environment says about it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="File">The absolute path of its file.</param>
/// <param name="ProcessId">The process that keeps it.</param>
/// <param name="Since">When it was started.</param>
/// <param name="Machines">The names of its machines.</param>
internal sealed record KeptInfo(string Name, string File, int ProcessId, DateTimeOffset Since, IReadOnlyList<string> Machines);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlAnswer))]
[JsonSerializable(typeof(ControlStep))]
[JsonSerializable(typeof(ControlError))]
[JsonSerializable(typeof(KeptInfo))]
internal sealed partial class ControlJson : JsonSerializerContext;
