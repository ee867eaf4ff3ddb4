using Virtigo.Networks;

namespace Virtigo.Tests.Networks;

/// <summary>A gateway on a socket of its own, with quick timers.</summary>
internal static class GatewayFixture
{
    public static readonly TcpTuning Quick = new()
    {
        MinimumTimeout = TimeSpan.FromMilliseconds(15),
        MaximumTimeout = TimeSpan.FromMilliseconds(60),
        Tick = TimeSpan.FromMilliseconds(5),
        MaximumRetries = 200,
        MaximumSynRetries = 100,
        TimeWait = TimeSpan.FromMilliseconds(50),
        InitialSequence = () => uint.MaxValue - 20_000,
    };

    public static GuestGatewayOptions Options(int mtu = 1500) => new()
    {
        SocketPath = Path.Combine(Path.GetTempPath(), "vg-" + Guid.NewGuid().ToString("N")[..12], "net"),
        DnsNames = ["mirror.example", "security.example"],
        Mtu = mtu,
        Tcp = Quick,
    };

    public static GuestGateway Echo(GuestGatewayOptions? options = null) =>
        GuestGateway.Listen(options ?? Options(), async (connection, token) =>
        {
            var buffer = new byte[5000];
            int count;
            while ((count = await connection.Stream.ReadAsync(buffer, token)) > 0)
            {
                await connection.Stream.WriteAsync(buffer.AsMemory(0, count), token);
                await connection.Stream.FlushAsync(token);
            }
        });

    public static byte[] Bytes(int count, int seed = 1)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
