using System.Net.Sockets;
using System.Text;

namespace Virtigo.Networks;

/// <summary>The unix sockets that hypervisors connect a guest's network card to.</summary>
internal static class GuestSocket
{
    private const int LongestPath = 107;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Refuses a path that no socket can have.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Host"/>: it is too long.</exception>
    public static void CheckPath(string path)
    {
        int length = Encoding.UTF8.GetByteCount(path);
        if (length > LongestPath)
        {
            throw new VirtigoException(FailureKind.Host,
                $"The socket path '{path}' has {length} bytes; a unix socket's path has at most {LongestPath}.",
                "Set XDG_RUNTIME_DIR or TMPDIR to a folder with a shorter path.");
        }
    }

    /// <summary>Listens for one guest; the folder is made if it is missing, a socket left there is replaced.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Host"/>: the folder is open to others, or the socket cannot be made.</exception>
    public static Socket Listen(string path)
    {
        CheckPath(path);
        PrepareFolder(path);
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen(1);
            return listener;
        }
        catch (SocketException error)
        {
            listener.Dispose();
            throw new VirtigoException(FailureKind.Host, $"Cannot listen on the socket '{path}': {error.Message}.",
                "Check that its folder is on a file system with unix sockets and has room.", error);
        }
    }

    private static void PrepareFolder(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        try
        {
            Directory.CreateDirectory(folder, OwnerOnly);
            File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Host, $"Cannot make the folder of the socket '{path}': {error.Message}",
                inner: error);
        }

        if ((File.GetUnixFileMode(folder) & ~OwnerOnly) != 0)
        {
            throw new VirtigoException(FailureKind.Host,
                $"The folder '{folder}' of the guest's network socket is open to other users; it must have mode 0700.",
                $"chmod 700 '{folder}'");
        }
    }
}
