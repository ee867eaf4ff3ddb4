using System.Net.Sockets;

namespace Virtigo.Tests.Hypervisors;

/// <summary>Two connected streams: what is written to one is read from the other.</summary>
internal static class SocketPair
{
    public static (NetworkStream Ours, NetworkStream Theirs) Create()
    {
        string path = Path.Combine(Path.GetTempPath(), $"vt-{Guid.NewGuid():N}.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(path));
        var pair = (new NetworkStream(client, true), new NetworkStream(listener.Accept(), true));
        File.Delete(path);
        return pair;
    }
}
