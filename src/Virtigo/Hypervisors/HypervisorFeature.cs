namespace Virtigo.Hypervisors;

/// <summary>One thing that a hypervisor can do or cannot: a row of the matrix, a ground to refuse a guest, a part of the conformance suite.</summary>
public sealed class HypervisorFeature
{
    private readonly Func<HypervisorCapabilities, bool> _has;
    private readonly Func<GuestConfig, bool>? _asked;

    private HypervisorFeature(string name, string description, Func<HypervisorCapabilities, bool> has, Func<GuestConfig, bool>? asked = null) =>
        (Name, Description, _has, _asked) = (name, description, has, asked);

    /// <summary>Every feature, in the order of the matrix.</summary>
    public static IReadOnlyList<HypervisorFeature> All { get; } =
    [
        new("disk boot", "boots from its disk by the boot loader there", can => can.DiskBoot, guest => guest.Kernel is null),
        new("uefi", "boots by UEFI", can => can.Uefi, guest => guest.Firmware == FirmwareKind.Uefi),
        new("kernel boot", "boots a kernel of the host's", can => can.KernelBoot, guest => guest.Kernel is not null),
        new("qcow2", "has a disk in qcow2", can => can.Qcow2, guest => guest.Disks.Any(disk => disk.Format == DiskFormat.Qcow2)),
        new("discs", "has a disc in a drive", can => can.Discs, guest => guest.Disks.Any(disk => disk.IsDisc)),
        new("networks", "is plugged into networks of ours", can => can.MaxNics > 0, guest => guest.Nics.Count > 0),
        new("agent", "has a channel for its agent", can => can.AgentChannel, guest => guest.AgentChannel),
        new("streams", "has a channel for streams", can => can.StreamChannel, guest => guest.StreamChannel),
        new("power button", "is asked to shut down", can => can.PowerButton),
        new("reset", "is started again without its leave", can => can.Reset),
        new("pause", "is paused", can => can.Pause, guest => guest.StartPaused),
        new("fork", "is saved and forked", can => can.Fork, guest => guest.SavedState is not null || guest.MemoryFile is not null),
        new("generation id", "can tell that it is a copy", can => can.GenerationId, guest => guest.GenerationId),
        new("credentials", "has credentials from its firmware", can => can.Credentials, guest => guest.Credentials.Count > 0),
        new("disk faults", "has faulty disks", can => can.DiskFaults),
        new("sysrq", "takes SysRq commands", can => can.SysRq),
        new("keys", "has a keyboard", can => can.SendKeys),
        new("screen", "has a screen", can => can.Display, guest => guest.Display),
        new("isolation", "is kept from its host, whoever is root in it", can => can.Isolation),
    ];

    /// <summary>Its short name, such as <c>fork</c>.</summary>
    public string Name { get; }

    /// <summary>What a guest with it does, to follow "it".</summary>
    public string Description { get; }

    /// <summary>The feature of a name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static HypervisorFeature Of(string name) =>
        All.FirstOrDefault(feature => feature.Name == name) ?? throw new ArgumentException($"There is no feature '{name}'.", nameof(name));

    /// <summary>Whether a hypervisor has it.</summary>
    /// <param name="capabilities">The hypervisor's.</param>
    public bool IsIn(HypervisorCapabilities capabilities) => _has(capabilities);

    /// <summary>Whether a guest cannot be started without it.</summary>
    /// <param name="guest">The guest.</param>
    public bool IsAskedBy(GuestConfig guest) => _asked?.Invoke(guest) ?? false;

    /// <summary>That a hypervisor does not have it, and why, in a clause.</summary>
    /// <param name="capabilities">The hypervisor's.</param>
    internal string LackIn(HypervisorCapabilities capabilities) =>
        capabilities.Reasons.TryGetValue(Name, out string? reason) ? $"no {Name}, since {reason}" : $"no {Name}";

    /// <summary>The refusal of what this hypervisor's guests cannot do.</summary>
    /// <param name="hypervisor">Its name.</param>
    /// <param name="capabilities">What its guests can do.</param>
    /// <param name="guest">The guest's name.</param>
    internal VirtigoException Refusal(string hypervisor, HypervisorCapabilities capabilities, string guest) => new(FailureKind.Usage,
        $"Guest {guest} cannot be run by {hypervisor}: it {Description}, which guests of {hypervisor} cannot"
            + $"{(capabilities.Reasons.TryGetValue(Name, out string? reason) ? $" ({reason})" : "")}.",
        "Run it by qemu, which can; 'virtigo doctor' shows what each hypervisor can do.");
}
