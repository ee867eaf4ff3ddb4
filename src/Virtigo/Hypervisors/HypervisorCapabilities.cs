using System.Collections.ObjectModel;

namespace Virtigo.Hypervisors;

/// <summary>What a hypervisor's guests can do; what is false is refused by name before anything starts.</summary>
public sealed record HypervisorCapabilities
{
    /// <summary>The number of serial ports a guest can have.</summary>
    public required int MaxSerials { get; init; }

    /// <summary>The number of processors a guest can have.</summary>
    public int MaxCpus { get; init; } = 255;

    /// <summary>The number of disks a guest can have.</summary>
    public int MaxDisks { get; init; }

    /// <summary>The number of network cards a guest can have; each is plugged into a socket of ours.</summary>
    public int MaxNics { get; init; }

    /// <summary>The largest packet that a guest's cards can take and send, in bytes, Ethernet header not counted.</summary>
    public int MaxMtu { get; init; } = 65535;

    /// <summary>A kernel and initrd of the host's can be booted directly.</summary>
    public bool KernelBoot { get; init; }

    /// <summary>A guest can boot from its first disk by the boot loader there, with BIOS.</summary>
    public bool DiskBoot { get; init; }

    /// <summary>A guest can boot from its first disk by UEFI.</summary>
    public bool Uefi { get; init; }

    /// <summary>Disks can be in qcow2 as they are; raw ones always can.</summary>
    public bool Qcow2 { get; init; }

    /// <summary>The last disk can be a disc in a drive.</summary>
    public bool Discs { get; init; }

    /// <summary>A channel to the guest agent that is not a network.</summary>
    public bool AgentChannel { get; init; }

    /// <summary>A channel for streams that is not a network.</summary>
    public bool StreamChannel { get; init; }

    /// <summary>The guest's system can be asked to shut down.</summary>
    public bool PowerButton { get; init; }

    /// <summary>A guest can be started again without its leave.</summary>
    public bool Reset { get; init; }

    /// <summary>A guest can be stopped and go on.</summary>
    public bool Pause { get; init; }

    /// <summary>A guest's state can be saved, and any number of guests be started from it.</summary>
    public bool Fork { get; init; }

    /// <summary>A copy of a guest can tell that it is one.</summary>
    public bool GenerationId { get; init; }

    /// <summary>A guest can be given credentials by its firmware.</summary>
    public bool Credentials { get; init; }

    /// <summary>Disks can be made faulty while the guest runs.</summary>
    public bool DiskFaults { get; init; }

    /// <summary>A guest's kernel takes SysRq commands from outside.</summary>
    public bool SysRq { get; init; }

    /// <summary>Keys can be pressed on the guest's keyboard.</summary>
    public bool SendKeys { get; init; }

    /// <summary>The guest can have a screen.</summary>
    public bool Display { get; init; }

    /// <summary>Whoever is root in a guest can do nothing on the host.</summary>
    public bool Isolation { get; init; }

    /// <summary>Why something is false, in one clause, by <see cref="HypervisorFeature.Name"/>: one for everything that is.</summary>
    public IReadOnlyDictionary<string, string> Reasons { get; init; } = ReadOnlyDictionary<string, string>.Empty;
}
