using System.Net;

namespace Virtigo.Networks;

/// <summary>A TCP connection that the guest opened to the gateway.</summary>
internal sealed class GuestConnection
{
    private readonly TcpConnection _connection;

    internal GuestConnection(TcpConnection connection)
    {
        _connection = connection;
        Stream = new TcpStream(connection);
        Guest = new IPEndPoint(connection.Peer.Address.ToIPAddress(), connection.Peer.Port);
        Local = new IPEndPoint(connection.Peer.Local.ToIPAddress(), connection.Peer.LocalPort);
        Address = connection.Peer.Local;
    }

    /// <summary>
    /// Both directions. Reading gives 0 at the guest's FIN and throws <see cref="IOException"/> after a reset. Flush when an
    /// answer is complete. Disposing delivers what was written in the background.
    /// </summary>
    public Stream Stream { get; }

    /// <summary>The guest's end.</summary>
    public IPEndPoint Guest { get; }

    /// <summary>The gateway's end.</summary>
    public IPEndPoint Local { get; }

    /// <summary>The address of the gateway's end: what the guest connected to.</summary>
    public Ipv4Address Address { get; }

    /// <summary>Whether the connection is over, in whatever way.</summary>
    public bool HasEnded => _connection.HasEnded;

    /// <summary>Ends the writing side after everything written; reading goes on.</summary>
    public void CompleteWrites() => _connection.CompleteWrites();

    /// <summary>Resets the connection at once.</summary>
    public void Abort() => _connection.Abort();
}
