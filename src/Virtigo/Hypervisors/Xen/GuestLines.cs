using System.Net.Sockets;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Xen;

/// <summary>What of a guest's connections outlasts its domains: the serial ports, the agent's channel and the one for streams.</summary>
internal sealed class GuestLines : IDisposable
{
    /// <summary>Makes those that a guest has.</summary>
    /// <param name="config">The guest.</param>
    public GuestLines(GuestConfig config)
    {
        Serials = [.. config.Serials.Select(_ => new Line())];
        Agent = config.AgentChannel ? new Line() : null;
        Channel = config.StreamChannel ? new Line() : null;
    }

    /// <summary>Those of the serial ports, in their order.</summary>
    public IReadOnlyList<Line> Serials { get; }

    /// <summary>That of the agent's channel, or null.</summary>
    public Line? Agent { get; }

    /// <summary>That of the channel for streams, or null.</summary>
    public Line? Channel { get; }

    /// <summary>All, in the order of <see cref="Qemu.QemuCommandLine.DeviceSockets"/>.</summary>
    public IEnumerable<Line> All => [.. Serials, .. ((Line?[])[Agent, Channel]).OfType<Line>()];

    /// <summary>Tells whoever reads that the guest says nothing any more.</summary>
    public void HangUp()
    {
        foreach (Line line in All)
        {
            line.Theirs.Dispose();
        }
    }

    /// <summary>Closes both ends of all.</summary>
    public void Dispose()
    {
        foreach (Line line in All)
        {
            line.Dispose();
        }
    }

    /// <summary>One: its user's end, and the one that a domain's is carried to.</summary>
    internal sealed class Line : IDisposable
    {
        public Line()
        {
            (Socket ours, Theirs) = LocalSockets.StreamPair();
            Ours = new NetworkStream(ours, ownsSocket: true);
        }

        public NetworkStream Ours { get; }

        public Socket Theirs { get; }

        public void Dispose()
        {
            Ours.Dispose();
            Theirs.Dispose();
        }
    }
}
