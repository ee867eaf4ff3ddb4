using Virtigo.Appliances;
using Virtigo.Environments.Steps;
using Virtigo.Machines;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>What a user wrote about an environment.</summary>
internal sealed record EnvironmentSpec
{
    /// <summary>The word for machines that are driven through their serial console.</summary>
    public const string SerialControl = "serial";

    /// <summary>The name: the file's without extension.</summary>
    public required string Name { get; init; }

    /// <summary>The file, as it was named.</summary>
    public required string File { get; init; }

    /// <summary>The machines, in the order of the file.</summary>
    public required IReadOnlyList<MachineSpec> Machines { get; init; }

    /// <summary>The networks, in the order of the file; one for all machines when none is written.</summary>
    public required IReadOnlyList<NetworkSpec> Networks { get; init; }

    /// <summary>What to do, once, before the environment is ready.</summary>
    public IReadOnlyList<Step> Ready { get; init; } = [];

    /// <summary>The text of the <c>ready</c> steps: another text is another environment.</summary>
    public string ReadyText { get; init; } = "";

    /// <summary>What runs the machines; null for what can fork them.</summary>
    public Setting<string>? Hypervisor { get; init; }

    /// <summary>What the machines, as they are written, ask of the hypervisor. What the <c>ready</c> steps ask comes beside it.</summary>
    public IReadOnlyList<HypervisorDemand> Demands { get; init; } = [];

    /// <summary>What machines may reach outside.</summary>
    public EgressSpec Egress { get; init; } = EgressSpec.None;

    /// <summary>The ports of machines that are published on the host's loopback.</summary>
    public IReadOnlyList<PortForward> Forward { get; init; } = [];

    /// <summary>Where all chances come from.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>The folder that the file is in.</summary>
    public string Folder => Path.GetDirectoryName(Path.GetFullPath(File))!;
}

/// <summary>A machine of an environment, as it was written.</summary>
/// <param name="Name">Its name, which is its host name too.</param>
/// <param name="Appliance">What it is a copy of.</param>
/// <param name="Networks">The networks it is on, each with its own address there, or null for an automatic one.</param>
internal sealed record MachineSpec(string Name, ApplianceSpec Appliance, IReadOnlyList<(string Network, Ipv4Address? Address)> Networks)
{
    /// <summary>Its memory in MiB; null for what the appliance has.</summary>
    public int? MemoryMiB { get; init; }

    /// <summary>The size of its disk; null for that of the image.</summary>
    public Setting<long>? DiskBytes { get; init; }

    /// <summary>The number of its processors; null for what the appliance has.</summary>
    public int? Cpus { get; init; }

    /// <summary>How commands get into it.</summary>
    public MachineControl Control { get; init; }
}

/// <summary>A network of an environment, as it was written.</summary>
/// <param name="Name">Its name.</param>
internal sealed record NetworkSpec(string Name)
{
    /// <summary>Its IPv4 addresses; null for automatic ones.</summary>
    public Ipv4Subnet? Subnet { get; init; }

    /// <summary>The largest packet, in bytes.</summary>
    public int Mtu { get; init; } = 1500;
}

/// <summary>A port of a machine that is published on the host's loopback.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="Port">Its TCP port, 1 to 65535.</param>
public sealed record PortForward(string Machine, int Port);
