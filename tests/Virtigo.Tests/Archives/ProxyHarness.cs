using System.Net;
using System.Net.Sockets;
using System.Text;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

/// <summary>A proxy in front of a test archive, as <c>http://mirror.example/debian</c>, with an ordinary HTTP client before it.</summary>
internal sealed class ProxyHarness : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _accepting;
    private readonly ArchiveClient _client;

    private ProxyHarness(TestArchive archive, ArchiveClient client, ArchiveProxy proxy)
    {
        (Archive, _client, Proxy) = (archive, client, proxy);
        _listener.Start();
        _accepting = AcceptAsync();
        Http = new HttpClient(new SocketsHttpHandler { ConnectCallback = async (_, token) => await ConnectAsync(token) });
    }

    public TestArchive Archive { get; }

    public ArchiveProxy Proxy { get; }

    public HttpClient Http { get; }

    public int UpstreamRequests => _client.UpstreamRequests;

    public static async Task<ProxyHarness> StartAsync(TestArchive archive, ArchiveProxyOptions? options = null)
    {
        ArchiveClient client = archive.Client();
        ArchiveSuite suite = await client.OpenAsync(archive.Source, TestContext.Current.CancellationToken);
        return new ProxyHarness(archive, client, new ArchiveProxy([new ProxyRoute("mirror.example", "/debian/", [suite])], archive.Pool, options ?? new ArchiveProxyOptions()));
    }

    public static Uri Url(string path) => new("http://mirror.example/debian/" + path);

    /// <summary>Sends bytes as they are and reads until the proxy closes.</summary>
    public async Task<string> ExchangeAsync(string request)
    {
        await using Stream connection = await ConnectAsync(TestContext.Current.CancellationToken);
        await connection.WriteAsync(Encoding.Latin1.GetBytes(request), TestContext.Current.CancellationToken);
        using var reader = new StreamReader(connection, Encoding.Latin1);
        return await reader.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _ending.CancelAsync();
        _listener.Stop();
        await _accepting;
        _client.Dispose();
        _ending.Dispose();
        await Archive.DisposeAsync();
    }

    private async Task<NetworkStream> ConnectAsync(CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_listener.LocalEndpoint, cancellationToken);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                serving.Add(ServeAsync(await _listener.AcceptSocketAsync(_ending.Token)));
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // It was stopped: while it waited for a client, or just before it would have.
        }

        await Task.WhenAll(serving);
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            await Proxy.ServeAsync(stream, _ending.Token);
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or VirtigoException or SocketException)
        {
        }
    }
}
