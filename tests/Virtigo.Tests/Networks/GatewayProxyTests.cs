using System.Text;
using Virtigo.Archives;
using Virtigo.Networks;
using Virtigo.Tests.Archives;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class GatewayProxyTests
{
    [Fact]
    public async Task A_guest_gets_a_verified_package_through_the_gateway_and_nothing_from_elsewhere()
    {
        await using TestArchive archive = TestArchive.Start();
        using ArchiveClient client = archive.Client();
        ArchiveSuite suite = await client.OpenAsync(archive.Source, TestContext.Current.CancellationToken);
        var proxy = new ArchiveProxy([new ProxyRoute("mirror.example", "debian", [suite])], archive.Pool, new ArchiveProxyOptions());
        GuestGatewayOptions options = GatewayFixture.Options(9000) with { DnsNames = proxy.Hosts };
        await using GuestGateway gateway = GuestGateway.Listen(options, (connection, token) => proxy.ServeAsync(connection.Stream, token));
        await using TestGuest guest = await TestGuest.ConnectAsync(gateway.SocketPath, 9000);
        TestArchiveDeb deb = archive.Debs[0];

        TestTcpClient download = await guest.OpenAsync();
        download.Write(Encoding.ASCII.GetBytes($"GET /debian/{deb.Filename} HTTP/1.1\r\nHost: mirror.example\r\nConnection: close\r\n\r\n"));
        byte[] answer = await download.ReadToEndAsync();
        TestTcpClient elsewhere = await guest.OpenAsync();
        elsewhere.Write("GET / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n"u8);

        Assert.Equal(deb.Build(), answer[^deb.Build().Length..]);
        Assert.StartsWith("HTTP/1.1 403 ", Encoding.ASCII.GetString(await elsewhere.ReadToEndAsync()), StringComparison.Ordinal);
        Assert.Equal([200, 403], proxy.Records.Select(record => record.Status));
        Assert.Equal(0, gateway.Counters.Failures);
    }
}
