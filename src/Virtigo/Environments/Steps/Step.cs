using Virtigo.Appliances;
using Virtigo.Machines;

namespace Virtigo.Environments.Steps;

/// <summary>Where a step is written.</summary>
/// <param name="File">The file, as it was named.</param>
/// <param name="Line">The line, from 1.</param>
/// <param name="Column">The column, from 1.</param>
internal readonly record struct StepPlace(string File, int Line, int Column)
{
    public override string ToString() => FormattableString.Invariant($"{File}:{Line}:{Column}");
}

/// <summary>One step of <c>ready:</c> or of a test, as it was read.</summary>
internal abstract record Step
{
    private const int MaxTitle = 120;

    /// <summary>Where it is written.</summary>
    public required StepPlace Place { get; init; }

    /// <summary>The step on one short line: what a person wrote, or the name they gave it.</summary>
    public required string Title { get; init; }

    /// <summary>The machines it is about, in the order they are named; empty when it is about the whole environment.</summary>
    public IReadOnlyList<string> Machines { get; init; } = [];

    /// <summary>What of the hypervisor's it cannot do without: a name of <see cref="Hypervisors.HypervisorFeature"/>; null for nothing.</summary>
    public virtual string? Needs => null;

    /// <summary>Does what the step says.</summary>
    /// <param name="context">What there is to do it with.</param>
    /// <param name="cancellationToken">Ends the step.</param>
    /// <exception cref="StepFailedException">What was expected did not come true.</exception>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.TimedOut"/> when a wait took too long; other kinds when a machine or the host is at fault, not the test.
    /// </exception>
    public abstract Task RunAsync(StepContext context, CancellationToken cancellationToken);

    /// <summary>A text as it may stand in a title: its first line, printable and short.</summary>
    public static string Short(string text)
    {
        string[] lines = text.Trim().Split('\n', 2);
        string line = string.Concat(lines[0].Trim().Select(c => char.IsControl(c) ? '?' : c));
        return line.Length > MaxTitle ? line[..MaxTitle] + "…" : lines.Length > 1 ? line + " …" : line;
    }
}

/// <summary>What was expected of a step did not come true. The machines themselves are well.</summary>
/// <param name="message">What was expected and what happened, one or more sentences.</param>
internal sealed class StepFailedException(string message) : Exception(message)
{
    /// <summary>Whether a failure is the step's: what it wanted did not come true, in machines that work. Else a machine or the host is at fault.</summary>
    public static bool IsOfStep(Exception failure) => failure is StepFailedException or MachineCommandException
        or VirtigoException { Kind: FailureKind.TimedOut or FailureKind.Guest or FailureKind.Usage };
}

/// <summary>What a step reads from its mapping.</summary>
internal sealed class StepValues(SettingValues values, StepPlace place, string title, SpecProblems problems)
{
    private readonly List<string> _machines = [];

    public StepPlace Place => place;

    public string Title => values.Get<string>("name")?.Value ?? title;

    /// <summary>Every machine named so far.</summary>
    public IReadOnlyList<string> Named => _machines;

    public void Name(string machine)
    {
        if (!_machines.Contains(machine))
        {
            _machines.Add(machine);
        }
    }

    public bool Has(string key) => values.Place(key) is not null;

    public T? Value<T>(string key)
        where T : struct => values.Get<T>(key)?.Value;

    public string? Text(string key) => values.Get<string>(key)?.Value;

    public IReadOnlyList<string> Texts(string key) => values.Get<IReadOnlyList<string>>(key)?.Value ?? [];

    public IReadOnlyDictionary<string, string> Variables(string key) =>
        values.Get<Dictionary<string, string>>(key)?.Value ?? new Dictionary<string, string>();

    /// <summary>The only machine of a key, or null.</summary>
    public string? Machine(string key) => Texts(key) is [var machine, ..] ? machine : null;

    /// <summary>Tells what is wrong at a key, or at the step when the key is not there.</summary>
    public void Wrong(string? key, string text)
    {
        if (key is not null && values.Place(key) is { } item)
        {
            problems.Add(item, text);
        }
        else
        {
            problems.Add(place.Line, place.Column, text);
        }
    }

    /// <summary>Tells when not exactly one of some keys is given. Null: then a problem was added.</summary>
    public string? ExactlyOne(string verb, params string[] keys)
    {
        string[] given = [.. keys.Where(Has)];
        if (given.Length == 1)
        {
            return given[0];
        }

        Wrong(given.Length > 1 ? given[1] : null, given.Length == 0
            ? $"{verb}: expected one of {string.Join(", ", keys)}"
            : $"{verb}: {given[0]} and {given[1]} are both given; keep one");
        return null;
    }
}
