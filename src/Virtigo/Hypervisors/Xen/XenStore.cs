using System.Net.Sockets;

namespace Virtigo.Hypervisors.Xen;

/// <summary>A connection to XenStore, in which dom0 and the guests tell each other of their devices. It has one user at a time.</summary>
internal sealed class XenStore : IAsyncDisposable
{
    /// <summary>Where it listens in a dom0.</summary>
    public const string DefaultSocket = "/run/xenstored/socket";

    private const string Missing = "ENOENT";
    private readonly NetworkStream _stream;
    private uint _requests;

    private XenStore(Socket socket) => _stream = new NetworkStream(socket, ownsSocket: true);

    /// <summary>Connects.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when nobody listens there, or not to us.</exception>
    public static async Task<XenStore> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            return new XenStore(socket);
        }
        catch (SocketException error)
        {
            socket.Dispose();
            throw new VirtigoException(FailureKind.Host, $"XenStore cannot be reached at {path}: {error.Message}.", "systemctl start xen", error);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Reads a node.</summary>
    /// <returns>Its value; null when there is no such node.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when XenStore refuses.</exception>
    public async Task<string?> ReadAsync(string node, CancellationToken cancellationToken)
    {
        StoreMessage reply = await AskAsync(StoreOperation.Read, [node], "", cancellationToken);
        return reply.Operation != StoreOperation.Error ? reply.Text
            : reply.Text == Missing ? null
            : throw Refusal("read", node, reply.Text);
    }

    /// <summary>Writes a node; makes it when absent.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when XenStore refuses.</exception>
    public async Task WriteAsync(string node, string value, CancellationToken cancellationToken)
    {
        StoreMessage reply = await AskAsync(StoreOperation.Write, [node], value, cancellationToken);
        if (reply.Operation == StoreOperation.Error)
        {
            throw Refusal("written", node, reply.Text);
        }
    }

    /// <summary>Waits until a node has a value, and gives it.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when XenStore refuses.</exception>
    public async Task<string> AwaitAsync(string node, CancellationToken cancellationToken)
    {
        StoreMessage reply = await AskAsync(StoreOperation.Watch, [node, node], "", cancellationToken);
        if (reply.Operation == StoreOperation.Error)
        {
            throw Refusal("watched", node, reply.Text);
        }

        while (true)
        {
            if (await ReadAsync(node, cancellationToken) is { Length: > 0 } value)
            {
                return value;
            }

            while ((await ReceiveAsync(cancellationToken)).Operation != StoreOperation.WatchEvent)
            {
            }
        }
    }

    /// <summary>Ends the connection, and what it watches.</summary>
    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private async Task<StoreMessage> AskAsync(StoreOperation operation, IReadOnlyList<string> words, string value, CancellationToken cancellationToken)
    {
        uint request = ++_requests;
        await SayAsync(StoreMessage.Ask(operation, request, words, value), cancellationToken);
        while (true)
        {
            // A change that is told meanwhile is seen by the reading that follows it.
            StoreMessage message = await ReceiveAsync(cancellationToken);
            if (message.Request == request && message.Operation != StoreOperation.WatchEvent)
            {
                return message;
            }
        }
    }

    private async Task SayAsync(byte[] message, CancellationToken cancellationToken)
    {
        try
        {
            await _stream.WriteAsync(message, cancellationToken);
        }
        catch (IOException error)
        {
            throw Broken(error);
        }
    }

    private async Task<StoreMessage> ReceiveAsync(CancellationToken cancellationToken)
    {
        try
        {
            byte[] head = new byte[StoreMessage.HeadSize];
            await _stream.ReadExactlyAsync(head, cancellationToken);
            if (StoreMessage.Head(head) is not { } read)
            {
                throw new VirtigoException(FailureKind.Host, $"XenStore announces more than {StoreMessage.LongestPayload} bytes.");
            }

            byte[] payload = new byte[read.Length];
            await _stream.ReadExactlyAsync(payload, cancellationToken);
            return new StoreMessage(read.Operation, read.Request, payload);
        }
        catch (IOException error)
        {
            throw Broken(error);
        }
    }

    private static VirtigoException Broken(IOException error) =>
        new(FailureKind.Host, $"XenStore has closed the connection: {error.Message}.", "systemctl status xen", error);

    private static VirtigoException Refusal(string what, string node, string error) =>
        new(FailureKind.Host, $"{node} in XenStore cannot be {what}: {error}.");
}
