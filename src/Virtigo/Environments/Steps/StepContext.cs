using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Machines;
using Virtigo.Networks;

namespace Virtigo.Environments.Steps;

/// <summary>The environment as steps use it.</summary>
internal interface IStepTarget
{
    /// <summary>The names of all machines, in the order of the file.</summary>
    IReadOnlyList<string> MachineNames { get; }

    /// <summary>Where machines find the hosts outside that they may reach.</summary>
    IReadOnlyList<OutwardPlace> Places => [];

    /// <summary>The names of the archives that machines may reach through the verifying proxy.</summary>
    IReadOnlyList<string> Archives => [];

    /// <summary>The machine of a name that was checked when the step was read.</summary>
    IStepMachine Machine(string name);

    /// <summary>Sets the fault of ways between machines, from now on.</summary>
    void SetFault(LinkSelector selector, LinkFault fault);

    /// <summary>Takes the faults of all ways between machines away; a partition stays.</summary>
    void ClearFaults();

    /// <summary>Cuts ways between machines in place of those cut before; none: there is no partition any more.</summary>
    void SetPartition(IReadOnlyList<LinkSelector> cuts);

}

/// <summary>A machine as steps use it. Limits are those of the reference machine; the machine scales them.</summary>
internal interface IStepMachine
{
    /// <summary>Runs a shell command, whatever its exit code.</summary>
    Task<CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken);

    /// <summary>Does something to its power; the clean actions and the start wait until they are done.</summary>
    Task PowerAsync(PowerAction action, CancellationToken cancellationToken);

    /// <summary>Waits until something is so in it.</summary>
    Task WaitAsync(WaitKind kind, string text, int port, TimeSpan limit, CancellationToken cancellationToken);

    /// <summary>Copies a file or tree of the host into it.</summary>
    Task CopyInAsync(string from, string to, CancellationToken cancellationToken);

    /// <summary>Copies a file or tree of it to the host.</summary>
    Task CopyOutAsync(string from, string to, CancellationToken cancellationToken);

    /// <summary>A picture of its screen, as PNG.</summary>
    Task<byte[]> ScreenshotAsync(CancellationToken cancellationToken);

    /// <summary>The text on its screen.</summary>
    Task<string> ScreenTextAsync(CancellationToken cancellationToken);

    /// <summary>Its journal since the current boot, at most the last 10000 lines; of one unit, or null for all.</summary>
    Task<string> JournalAsync(string? unit, CancellationToken cancellationToken);

    /// <summary>Presses keys together, such as <c>ctrl-alt-delete</c>.</summary>
    Task SendKeysAsync(string chord, CancellationToken cancellationToken);

    /// <summary>Types a text.</summary>
    Task TypeAsync(string text, CancellationToken cancellationToken);

    /// <summary>Gives its kernel a SysRq command, by key or name; what the kernel said.</summary>
    Task<string> SysRqAsync(string key, CancellationToken cancellationToken);

    /// <summary>Sets its clock.</summary>
    Task SetClockAsync(DateTimeOffset moment, CancellationToken cancellationToken);

    /// <summary>Moves its clock.</summary>
    Task MoveClockAsync(TimeSpan jump, CancellationToken cancellationToken);

    /// <summary>Makes its clock go faster or slower, in parts per million.</summary>
    Task SkewClockAsync(double partsPerMillion, CancellationToken cancellationToken);

    /// <summary>Sets the fault of a disk, counted from 0.</summary>
    Task SetDiskFaultAsync(string disk, DiskFault fault, CancellationToken cancellationToken);
}

/// <summary>What a step runs with.</summary>
internal sealed class StepContext
{
    /// <summary>The environment.</summary>
    public required IStepTarget Target { get; init; }

    /// <summary>The folder of the file that the step stands in: what it copies in lies below it.</summary>
    public required string BaseFolder { get; init; }

    /// <summary>Where files from machines go; null when nobody asked for any.</summary>
    public string? ArtifactsFolder { get; init; }

    /// <summary>Whether those files lie in a folder for each machine.</summary>
    public bool HasMachineFolders { get; init; } = true;

    /// <summary>What the step's command prints.</summary>
    public StepOutput Output { get; init; } = new();

    /// <summary>Scales limits that the step keeps itself.</summary>
    public HostSpeed Speed { get; init; } = HostSpeed.OfReference;

    /// <summary>The clock of the host.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Where choices come from.</summary>
    public Random Random { get; init; } = new(0);

    /// <summary>How long one command may take on the reference machine when the step does not say it.</summary>
    public TimeSpan CommandLimit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Lets a person look around at a breakpoint; null when there is none to do it.</summary>
    public Func<Step, CancellationToken, Task>? Breakpoint { get; init; }

    /// <summary>Where a file of a machine goes, in a folder that exists; null when nobody asked for any.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="name">The relative path that the step says, without <c>..</c>.</param>
    public string? PlaceFor(string machine, string name)
    {
        if (ArtifactsFolder is not { } folder)
        {
            return null;
        }

        string place = HasMachineFolders ? Path.Combine(folder, machine, name) : Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(place)!);
        return place;
    }

    /// <summary>A limit as it was written, or longer on a slow host; never shorter, since it is a person's own number.</summary>
    public TimeSpan Scale(TimeSpan limit) => Speed.Scale(limit) is var scaled && scaled > limit ? scaled : limit;
}

/// <summary>The last of what a step's command printed, on both streams. May be fed and read from any thread.</summary>
/// <param name="onOutput">Called with output as it comes; true for the error stream.</param>
internal sealed class StepOutput(Action<ReadOnlyMemory<byte>, bool>? onOutput = null)
{
    /// <summary>The most that is kept of each stream, in bytes.</summary>
    public const int Limit = 64 << 10;

    private readonly Lock _gate = new();
    private ByteTail _output = new(Limit);
    private ByteTail _error = new(Limit);

    /// <summary>The standard output kept.</summary>
    public string Output => Read(() => _output.ToString());

    /// <summary>The standard error kept.</summary>
    public string Error => Read(() => _error.ToString());

    /// <summary>Whether there was more than is kept.</summary>
    public bool Truncated => Read(() => _output.Total > _output.Count || _error.Total > _error.Count);

    /// <summary>Takes the next bytes of a stream.</summary>
    public void Append(ReadOnlyMemory<byte> bytes, bool isError)
    {
        lock (_gate)
        {
            (isError ? _error : _output).Append(bytes.Span);
        }

        onOutput?.Invoke(bytes, isError);
    }

    /// <summary>Forgets what was printed: a command is tried again.</summary>
    public void Restart()
    {
        lock (_gate)
        {
            (_output, _error) = (new ByteTail(Limit), new ByteTail(Limit));
        }
    }

    private T Read<T>(Func<T> read)
    {
        lock (_gate)
        {
            return read();
        }
    }
}
