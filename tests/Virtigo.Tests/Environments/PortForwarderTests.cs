using System.Net;
using System.Net.Sockets;
using System.Text;
using Virtigo.Environments;
using Xunit;

namespace Virtigo.Tests.Environments;

public sealed class PortForwarderTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Connections_go_through_side_by_side_with_the_end_of_each_side()
    {
        using var echo = new TcpListener(IPAddress.Loopback, 0);
        echo.Start();
        await using PortForwarder forwarder = Start(echo);
        Assert.True(IPAddress.IsLoopback(forwarder.Endpoint.Address));
        for (int i = 0; i < 3; i++)
        {
            using TcpClient near = await ConnectAsync(forwarder);
            using TcpClient far = await echo.AcceptTcpClientAsync(Token);
            using TcpClient other = await ConnectAsync(forwarder);
            NetworkStream from = near.GetStream();
            NetworkStream to = far.GetStream();
            byte[] page = new byte[500_000];
            Random.Shared.NextBytes(page);
            await from.WriteAsync("GET"u8.ToArray(), Token);
            near.Client.Shutdown(SocketShutdown.Send);

            Assert.Equal("GET", await new StreamReader(to, Encoding.ASCII, leaveOpen: true).ReadToEndAsync(Token));
            Task sending = Task.Run(async () =>
            {
                await to.WriteAsync(page, Token);
                far.Client.Shutdown(SocketShutdown.Send);
            }, Token);
            using var got = new MemoryStream();
            await from.CopyToAsync(got, Token);
            await sending;
            Assert.Equal(page, got.ToArray());
            (await echo.AcceptTcpClientAsync(Token)).Dispose();
        }
    }

    [Fact]
    public async Task Where_nothing_answers_the_connection_is_reset_and_the_port_stays()
    {
        bool up = false;
        using var echo = new TcpListener(IPAddress.Loopback, 0);
        echo.Start();
        await using PortForwarder forwarder = PortForwarder.Start("server", 80, async token => up
            ? await OpenAsync(echo, token)
            : throw new VirtigoException(FailureKind.Guest, "Machine server is off."));
        Exception? reset = await Record.ExceptionAsync(async () =>
        {
            using TcpClient refused = await ConnectAsync(forwarder);
            await refused.GetStream().ReadExactlyAsync(new byte[1], Token);
        });
        Assert.True(reset is SocketException or IOException { InnerException: SocketException }, $"{reset}");

        up = true;
        using TcpClient near = await ConnectAsync(forwarder);
        using TcpClient far = await echo.AcceptTcpClientAsync(Token);
        await far.GetStream().WriteAsync("x"u8.ToArray(), Token);
        Assert.Equal(1, await near.GetStream().ReadAsync(new byte[1], Token));
    }

    [Fact]
    public async Task Its_end_closes_the_port_and_open_connections()
    {
        using var echo = new TcpListener(IPAddress.Loopback, 0);
        echo.Start();
        PortForwarder forwarder = Start(echo);
        using TcpClient near = await ConnectAsync(forwarder);
        using TcpClient far = await echo.AcceptTcpClientAsync(Token);
        await forwarder.DisposeAsync();

        Assert.True(await IsClosedAsync(far));
        await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(forwarder));
    }

    /// <summary>Whether the other side closed the connection, or reset it: which of both depends on what was under way.</summary>
    private static async Task<bool> IsClosedAsync(TcpClient connection)
    {
        try
        {
            return await connection.GetStream().ReadAsync(new byte[1], Token) == 0;
        }
        catch (IOException error) when (error.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset })
        {
            return true;
        }
    }

    private static PortForwarder Start(TcpListener to) => PortForwarder.Start("server", 80, token => OpenAsync(to, token));

    private static async Task<Stream> OpenAsync(TcpListener to, CancellationToken token)
    {
        var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)to.LocalEndpoint, token);
        return client.GetStream();
    }

    private static async Task<TcpClient> ConnectAsync(PortForwarder forwarder)
    {
        var client = new TcpClient();
        await client.ConnectAsync(forwarder.Endpoint, Token);
        return client;
    }
}
