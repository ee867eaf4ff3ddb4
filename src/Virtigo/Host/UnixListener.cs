using System.Net.Sockets;
using System.Text;

namespace Virtigo.Host;

/// <summary>
/// A unix socket on which one peer is expected. Listening before the peer starts means no waiting for its socket to appear
/// and no first byte lost. The socket's file is gone as soon as the peer has connected.
/// </summary>
internal sealed class UnixListener : IDisposable
{
    /// <summary>The longest path of a unix socket, in bytes.</summary>
    public const int PathLimit = 107;

    private readonly Socket _socket;

    /// <summary>Begins to listen.</summary>
    /// <param name="path">The socket's path; a file left there by a dead owner is replaced.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when the path is too long or cannot be made.</exception>
    public UnixListener(string path)
    {
        CheckLength(path);
        Path = path;
        _socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            File.Delete(path);
            _socket.Bind(new UnixDomainSocketEndPoint(path));
            _socket.Listen(1);
        }
        catch (Exception error) when (error is SocketException or IOException or UnauthorizedAccessException)
        {
            _socket.Dispose();
            throw new VirtigoException(FailureKind.Host, $"The socket {path} cannot be made: {error.Message}.", inner: error);
        }
    }

    /// <summary>The socket's path.</summary>
    public string Path { get; }

    /// <summary>Refuses a path that is too long for a unix socket.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/>.</exception>
    public static void CheckLength(string path)
    {
        int length = Encoding.UTF8.GetByteCount(path);
        if (length > PathLimit)
        {
            throw new VirtigoException(FailureKind.Host,
                $"The path of a unix socket has at most {PathLimit} bytes; {path} has {length}.",
                "Set XDG_RUNTIME_DIR to a folder with a shorter path.");
        }
    }

    /// <summary>Awaits the peer.</summary>
    public async Task<Stream> AcceptAsync(CancellationToken cancellationToken) =>
        new NetworkStream(await AcceptSocketAsync(cancellationToken), ownsSocket: true);

    /// <summary>Awaits the peer.</summary>
    public async Task<Socket> AcceptSocketAsync(CancellationToken cancellationToken)
    {
        Socket peer = await _socket.AcceptAsync(cancellationToken);
        Dispose();
        return peer;
    }

    /// <summary>Ends listening and removes the socket's file.</summary>
    public void Dispose()
    {
        _socket.Dispose();
        File.Delete(Path);
    }
}
