using Virtigo.Host;
using Virtigo.Hypervisors;

namespace Virtigo.Machines;

/// <summary>How a machine is driven.</summary>
internal enum MachineControl
{
    /// <summary>Through its agent, and the stream channel when the guest has perl.</summary>
    Agent,

    /// <summary>Through a root shell on its serial console.</summary>
    SerialConsole,
}

/// <summary>What a machine is made from.</summary>
internal sealed record MachineConfig
{
    /// <summary>The machine's name in its environment.</summary>
    public required string Name { get; init; }

    /// <summary>Runs the guest.</summary>
    public required IHypervisor Hypervisor { get; init; }

    /// <summary>The guest for a start from power-off: fresh memory, no saved state.</summary>
    public required GuestConfig Guest { get; init; }

    /// <summary>Scales every limit.</summary>
    public HostSpeed Speed { get; init; } = HostSpeed.OfReference;

    /// <summary>Where the chances of its faults come from.</summary>
    public ulong Seed { get; init; }

    /// <summary>The clock of the host.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The serial port that is the console.</summary>
    public string Console { get; init; } = "console";

    /// <summary>What opens its disk at every boot; null when nothing need.</summary>
    public Passphrase? Passphrase { get; init; }

    /// <summary>How commands get into the guest.</summary>
    public MachineControl Control { get; init; } = MachineControl.Agent;
}
