using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Virtigo.Environments;
using Virtigo.Environments.Steps;
using Virtigo.Machines;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>
/// What a real guest reaches of the hosts that its environment lists, and that it reaches nothing else. The hosts are servers of this test on
/// the loopback, to which the names lead by a name server and a way of the test's own: the real ones would refuse them.
/// </summary>
public sealed class EgressTests(Lab lab) : IAsyncDisposable
{
    private const string Listed = "egress: [listed.example, \"listed.example:2525\", \"*.wild.example\", inside.example]";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-egress");
    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly ConcurrentQueue<string> _dialled = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync()
    {
        _server.Dispose();
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Listed_hosts_are_reached_without_any_setting_in_the_guest_and_nothing_else_is()
    {
        _ = await lab.Golden;
        File.Copy(lab.Example, Path.Combine(_folder.FullName, "web.yml"));
        string file = Path.Combine(_folder.FullName, "out.yml");
        await File.WriteAllTextAsync(file, $"machines: {{client: {{appliance: web.yml, memory: 512MiB}}}}\n{Listed}\nready: [client: curl -sf --max-time 60 http://listed.example/]\n", Cancel);
        _server.Start();
        Task serving = ServeAsync();
        using IDisposable place = await lab.PlaceAsync();
        var ways = new OutwardWays { ResolveAsync = Resolve, ConnectAsync = ConnectAsync };
        using EnvironmentSnapshot ready = await EnvironmentDefinition.MakeReadyAsync(
            await EnvironmentReader.LoadAsync(file, Cancel), new EnvironmentOptions(), ways, null, Cancel);
        await using VirtualEnvironment shop = await ready.ForkAsync(Cancel);
        Machine client = shop["client"];
        const string curl = "curl -s --max-time 60 ";

        Assert.Equal("plain listed.example", await client.RunAsync(curl + "-f http://listed.example/", Cancel));
        Assert.Equal("tls listed.example", await client.RunAsync(curl + "-fk https://listed.example/", Cancel));
        Assert.Equal("tls deep.one.wild.example", await client.RunAsync(curl + "-fk https://deep.one.wild.example/", Cancel));
        Assert.Equal("plain one.wild.example", await client.RunAsync(curl + "-f http://one.wild.example/", Cancel));
        Assert.Equal("220 first", await client.RunAsync("timeout 60 bash -c 'exec 3<>/dev/tcp/listed.example/2525; read -r line <&3; echo ${line%?}'", Cancel));
        Assert.Equal(1 << 20, int.Parse(await client.RunAsync(curl + "-f http://listed.example/large | wc -c", Cancel), System.Globalization.CultureInfo.InvariantCulture));
        string[] reached = [.. _dialled];

        foreach (string wrong in (string[])
        [
            curl + "http://unlisted.example/", curl + "http://wild.example/",
            curl + "-f -H 'Host: unlisted.example' http://listed.example/", curl + "-fk --connect-to unlisted.example:443:listed.example:443 https://unlisted.example/",
            curl + "-fk --connect-to unlisted.example:443:one.wild.example:443 https://unlisted.example/", curl + "http://inside.example/",
            curl + "http://203.0.113.1/", "timeout 20 bash -c 'exec 3<>/dev/tcp/listed.example/22'", "ping -c 1 -W 5 listed.example",
        ])
        {
            await client.FailAsync(wrong, Cancel);
        }

        IReadOnlyList<string> refused = shop.Refusals;
        TestContext.Current.TestOutputHelper!.WriteLine(string.Join('\n', refused));
        Assert.Contains("listed.example:443 asks for unlisted.example", refused);
        Assert.Contains("*.wild.example:443 asks for unlisted.example, which is not listed", refused);
        Assert.Contains("inside.example:80 resolves to 127.0.0.1, a loopback address, which is this host", refused);
        Assert.Contains("unlisted.example is not listed in egress", refused);
        Assert.All(_dialled, dialled => Assert.Matches("^203\\.0\\.113\\.1:(80|443|2525)$", dialled));
        Assert.Contains("203.0.113.1:443", reached);

        var context = new StepContext { Target = new StepTarget(shop), BaseFolder = _folder.FullName };
        await IsolationStep.For("out.yml", ["client"], isOpen: true).RunAsync(context, Cancel);
        string proof = context.Output.Output;
        TestContext.Current.TestOutputHelper!.WriteLine(proof);
        Assert.Contains("opened by egress: listed.example, TCP port 80, 443, 2525, found at 198.18.0.1", proof, StringComparison.Ordinal);
        Assert.Contains("client -> not-listed.invalid at 198.18.0.2 port 80 refused", proof, StringComparison.Ordinal);
        Assert.Contains("client -> 198.18.0.1 port 81 unreachable", proof, StringComparison.Ordinal);
        Assert.Contains("client -> 1.1.1.1 port 53 unreachable", proof, StringComparison.Ordinal);
        _server.Stop();
        await serving;
    }

    private static Task<IPAddress[]> Resolve(string name, CancellationToken cancellationToken) =>
        Task.FromResult<IPAddress[]>([IPAddress.Parse(name == "inside.example" ? "127.0.0.1" : "203.0.113.1")]);

    /// <summary>The port that was asked for goes before everything else, so that one server can stand for several.</summary>
    private async Task<Socket> ConnectAsync(IPEndPoint to, CancellationToken cancellationToken)
    {
        _dialled.Enqueue(to.ToString());
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_server.LocalEndpoint, cancellationToken);
        await socket.SendAsync(BitConverter.GetBytes((ushort)to.Port), cancellationToken);
        return socket;
    }

    private async Task ServeAsync()
    {
        using RSA key = RSA.Create(2048);
        var request = new CertificateRequest("CN=listed.example", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using X509Certificate2 made = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        using X509Certificate2 certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
        try
        {
            while (true)
            {
                Socket client = await _server.AcceptSocketAsync();
                _ = AnswerAsync(new NetworkStream(client, ownsSocket: true), certificate);
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The end of the test.
        }
    }

    private static async Task AnswerAsync(Stream connection, X509Certificate2 certificate)
    {
        await using Stream owned = connection;
        try
        {
            var port = new byte[2];
            await connection.ReadExactlyAsync(port);
            if (BitConverter.ToUInt16(port) == 2525)
            {
                await connection.WriteAsync("220 first\r\n"u8.ToArray());
                return;
            }

            if (BitConverter.ToUInt16(port) == 80)
            {
                await AnswerHttpAsync(connection, "plain");
                return;
            }

            await using var tls = new SslStream(connection);
            await tls.AuthenticateAsServerAsync(certificate);
            await AnswerHttpAsync(tls, "tls");
        }
        catch (Exception error) when (error is IOException or EndOfStreamException or SocketException or System.Security.Authentication.AuthenticationException)
        {
            // A client that went away.
        }
    }

    private static async Task AnswerHttpAsync(Stream connection, string what)
    {
        using var reader = new StreamReader(connection, leaveOpen: true);
        string path = (await reader.ReadLineAsync() ?? "").Split(' ').ElementAtOrDefault(1) ?? "";
        string host = "";
        for (string? line; (line = await reader.ReadLineAsync()) is { Length: > 0 };)
        {
            host = line.StartsWith("Host: ", StringComparison.OrdinalIgnoreCase) ? line[6..] : host;
        }

        string body = path == "/large" ? new string('x', 1 << 20) : $"{what} {host}";
        await connection.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"));
    }
}
