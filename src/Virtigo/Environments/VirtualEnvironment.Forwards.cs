using System.Collections.Concurrent;

namespace Virtigo.Environments;

public sealed partial class VirtualEnvironment
{
    private readonly ConcurrentBag<PortForwarder> _forwards = [];

    /// <summary>The clock of the host.</summary>
    internal TimeProvider Clock => _host.Clock;

    /// <summary>The speed of guests on its host, which scales limits.</summary>
    internal Hypervisors.HostSpeed Speed => _host.Speed;

    /// <summary>
    /// Publishes a TCP port of a machine on a free port of the host's loopback, until what is returned, or the environment, is disposed.
    /// A machine that is off refuses connections; it may be started later.
    /// </summary>
    /// <param name="machine">The machine's name.</param>
    /// <param name="port">Its port, 1 to 65535.</param>
    /// <exception cref="VirtigoException">There is no such machine, or the host gives no port.</exception>
    public PortForwarder ForwardPort(string machine, int port)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(port, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, ushort.MaxValue);
        Machines.Machine which = this[machine];
        var forwarder = PortForwarder.Start(machine, port, token => which.ConnectAsync(port, token));
        _forwards.Add(forwarder);
        return forwarder;
    }
}
