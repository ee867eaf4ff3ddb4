using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class OutwardPolicyTests
{
    [Theory]
    [InlineData("127.0.0.1", "loopback")]
    [InlineData("127.255.1.2", "loopback")]
    [InlineData("0.0.0.0", "unspecified")]
    [InlineData("0.1.2.3", "unspecified")]
    [InlineData("169.254.169.254", "metadata")]
    [InlineData("169.254.0.1", "link-local")]
    [InlineData("100.100.100.200", "metadata")]
    [InlineData("224.0.0.1", "multicast")]
    [InlineData("255.255.255.255", "broadcast")]
    [InlineData("240.0.0.1", "reserved")]
    [InlineData("::1", "loopback")]
    [InlineData("::", "unspecified")]
    [InlineData("::127.0.0.1", "unspecified")]
    [InlineData("::ffff:127.0.0.1", "loopback")]
    [InlineData("::ffff:169.254.169.254", "metadata")]
    [InlineData("fe80::1", "link-local")]
    [InlineData("ff02::1", "multicast")]
    [InlineData("fd00:ec2::254", "metadata")]
    [InlineData("64:ff9b::7f00:1", "loopback")]
    [InlineData("2002:7f00:1::1", "loopback")]
    [InlineData("2002:a9fe:a9fe::", "metadata")]
    [InlineData("2001:0:1::1", "Teredo")]
    [InlineData("198.51.100.7", "of this host")]
    [InlineData("64:ff9b::198.51.100.7", "of this host")]
    public void Addresses_that_are_the_host_or_only_mean_something_on_its_links_are_refused(string address, string why) =>
        Assert.Contains(why, OutwardPolicy.WhyNot(IPAddress.Parse(address), own => own.ToString() == "198.51.100.7"), StringComparison.Ordinal);

    [Theory]
    [InlineData("10.0.0.7")]
    [InlineData("192.168.1.1")]
    [InlineData("172.16.0.1")]
    [InlineData("203.0.113.7")]
    [InlineData("100.64.0.1")]
    [InlineData("fd12:3456::1")]
    [InlineData("2001:db8::1")]
    [InlineData("64:ff9b::203.0.113.7")]
    public void Other_addresses_are_fine_private_ones_too(string address) => Assert.Null(OutwardPolicy.WhyNot(IPAddress.Parse(address), _ => false));

    [Fact]
    public void The_host_knows_its_own_addresses()
    {
        Assert.All(NetworkInterface.GetAllNetworkInterfaces().SelectMany(card => card.GetIPProperties().UnicastAddresses),
            own => Assert.True(OutwardPolicy.IsOwn(own.Address)));

        // All of 127.0.0.0/8 is the host's though only one address of it is a card's: the kernel says so.
        Assert.True(OutwardPolicy.IsOwn(IPAddress.Parse("127.44.55.66")));
        Assert.False(OutwardPolicy.IsOwn(IPAddress.Parse("203.0.113.7")));
    }

    [Fact]
    public async Task A_name_that_resolves_to_several_addresses_leads_to_those_that_may_be_and_never_to_the_others()
    {
        List<IPEndPoint> asked = [];
        List<string> refused = [];
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var dialer = new OutwardDialer(new OutwardWays
        {
            ResolveAsync = (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback, IPAddress.Parse("203.0.113.6"), IPAddress.Parse("203.0.113.7")]),
            IsOwn = _ => false,
            ConnectAsync = async (to, token) =>
            {
                asked.Add(to);
                if (asked.Count == 1)
                {
                    throw new SocketException((int)SocketError.ConnectionRefused);
                }

                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(listener.LocalEndpoint, token);
                return socket;
            },
        }, TimeProvider.System);
        using Socket? made = await dialer.DialAsync("api.example.org", 443, refused.Add, TestContext.Current.CancellationToken);
        Assert.NotNull(made);
        Assert.Equal(["203.0.113.6:443", "203.0.113.7:443"], asked.Select(each => each.ToString()));
        Assert.Equal(["resolves to 127.0.0.1, a loopback address, which is this host"], refused);
    }

    [Fact]
    public async Task A_name_without_address_a_server_that_does_not_answer_and_a_resolver_that_fails_are_told()
    {
        List<string> refused = [];
        async Task<Socket?> Dial(OutwardWays ways) => await new OutwardDialer(ways with { IsOwn = _ => false }, TimeProvider.System)
            .DialAsync("api.example.org", 443, refused.Add, TestContext.Current.CancellationToken);

        Assert.Null(await Dial(new OutwardWays { ResolveAsync = (_, _) => Task.FromResult<IPAddress[]>([]) }));
        Assert.Null(await Dial(new OutwardWays { ResolveAsync = (_, _) => throw new SocketException((int)SocketError.HostNotFound) }));
        Assert.Null(await Dial(new OutwardWays
        {
            ResolveAsync = (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse("203.0.113.6")]),
            ConnectAsync = (_, _) => throw new SocketException((int)SocketError.ConnectionRefused),
        }));
        Assert.Equal(["has no address on this host", "cannot be resolved on this host", "cannot be reached from this host at 203.0.113.6"],
            refused.Select(reason => reason.Split(": ")[0]));
    }
}
