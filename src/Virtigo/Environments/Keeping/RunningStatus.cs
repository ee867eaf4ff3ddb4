using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>How a kept environment is.</summary>
/// <param name="Name">Its name, by which it is addressed.</param>
/// <param name="File">The absolute path of the file that describes it.</param>
/// <param name="Since">When it was started.</param>
/// <param name="ProcessId">The process that keeps it; it ends with it.</param>
/// <param name="Machines">Its machines, in the order of the file.</param>
/// <param name="Forwards">The ports that are published on the host's loopback.</param>
public sealed record RunningStatus(
    string Name, string File, DateTimeOffset Since, int ProcessId, IReadOnlyList<RunningMachine> Machines, IReadOnlyList<RunningForward> Forwards)
{
    /// <summary>What machines wanted of the world outside and were refused, one sentence each, a few at most.</summary>
    public IReadOnlyList<string> Refusals { get; init; } = [];
}

/// <summary>A machine of a kept environment.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">Whether it runs.</param>
/// <param name="MemoryMiB">The memory it has, in MiB.</param>
/// <param name="Cpus">The number of its processors.</param>
/// <param name="Addresses">Its addresses, one entry for each network it is on.</param>
public sealed record RunningMachine(string Name, MachineState State, int MemoryMiB, int Cpus, IReadOnlyList<RunningAddress> Addresses);

/// <summary>A machine's addresses on one network.</summary>
/// <param name="Network">The network's name.</param>
/// <param name="Ipv4">Its IPv4 address there.</param>
/// <param name="Ipv6">Its IPv6 address there.</param>
public sealed record RunningAddress(string Network, string Ipv4, string Ipv6);

/// <summary>A machine's port that is published on the host's loopback.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="Port">Its TCP port.</param>
/// <param name="Endpoint">Where it is on the host, as <c>127.0.0.1:40311</c>.</param>
public sealed record RunningForward(string Machine, int Port, string Endpoint);

/// <summary>What is to happen to a machine's power.</summary>
public enum PowerOrder
{
    /// <summary>Switch it on and wait until it answers.</summary>
    Start,

    /// <summary>Press the power button and wait until it is off.</summary>
    Shutdown,

    /// <summary>Reboot it, and wait until it answers again.</summary>
    Reboot,

    /// <summary>Pull the plug.</summary>
    Cut,

    /// <summary>Let it stand still.</summary>
    Pause,

    /// <summary>Let it go on after a pause.</summary>
    Resume,
}
