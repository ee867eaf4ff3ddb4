using Virtigo.Hypervisors;

namespace Virtigo.Environments;

/// <summary>The files of one snapshot. Nothing else builds such a path.</summary>
/// <param name="Path">The folder.</param>
internal sealed record SnapshotFolder(string Path)
{
    private const string PlanName = "environment";

    /// <summary>What the networks had in flight.</summary>
    public string Switch => System.IO.Path.Combine(Path, "switch");

    /// <summary>The file that says that the snapshot is whole, and of which file it is.</summary>
    public string Marker => System.IO.Path.Combine(Path, PlanName);

    /// <summary>A machine's memory; absent when it is part of the state.</summary>
    public string Memory(MachinePlan machine) => System.IO.Path.Combine(Path, "memory-" + machine.Name);

    /// <summary>A machine's state.</summary>
    public string State(MachinePlan machine) => System.IO.Path.Combine(Path, "state-" + machine.Name);

    /// <summary>A machine's disk at the moment of the snapshot, on top of its image.</summary>
    public string Disk(MachinePlan machine) => System.IO.Path.Combine(Path, $"disk-{machine.Name}.qcow2");

    /// <summary>All its disks at that moment, in their order.</summary>
    public IReadOnlyList<string> Disks(MachinePlan machine) =>
        [Disk(machine), .. machine.FurtherDisks.Select(disk => System.IO.Path.Combine(Path, $"disk-{machine.Name}.{disk.Name}.qcow2"))];

    /// <summary>Empty disks on top of those: each fork begins with a copy of them.</summary>
    public IReadOnlyList<string> EmptyDisks(MachinePlan machine) =>
    [
        System.IO.Path.Combine(Path, $"fork-{machine.Name}.qcow2"),
        .. machine.FurtherDisks.Select(disk => System.IO.Path.Combine(Path, $"fork-{machine.Name}.{disk.Name}.qcow2")),
    ];

    /// <summary>A machine as a fork begins it.</summary>
    public GuestConfig Fork(GuestConfig cold, MachinePlan machine) => cold with
    {
        MemoryFile = File.Exists(Memory(machine)) ? new GuestMemoryFile(Memory(machine), Shared: false) : null,
        SavedState = State(machine),
        StartPaused = true,
    };
}
