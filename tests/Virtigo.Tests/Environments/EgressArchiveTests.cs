using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.Environments;
using Virtigo.Host;
using Virtigo.Networks;
using Virtigo.Tests.Networks;
using Xunit;

namespace Virtigo.Tests.Environments;

/// <summary>Archives and listed hosts beside each other: an archive stays with the verifying proxy, whatever else is listed.</summary>
public sealed class EgressArchiveTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");
    private readonly ConcurrentQueue<string> _dialled = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task An_archive_resolves_to_the_services_and_a_host_to_an_address_of_its_own()
    {
        (SwitchEgress egress, _) = await MakeAsync("[archives, api.example.org]");

        Assert.Equal(["mirror.example", "security.example"], egress.Names);
        Assert.Equal([80, 8080], egress.Ports.Order());
        Assert.Equal(["198.18.0.1 api.example.org"], egress.Places.Select(place => $"{place.Address} {place}"));
    }

    [Fact]
    public async Task Hosts_alone_open_no_port_of_the_services()
    {
        (SwitchEgress egress, _) = await MakeAsync("api.example.org");

        Assert.Empty(egress.Names);
        Assert.Empty(egress.Ports);
    }

    [Fact]
    public async Task An_archive_that_is_listed_as_a_host_too_stays_with_the_proxy_at_its_port_and_is_carried_at_others()
    {
        (SwitchEgress egress, EnvironmentEgress way) = await MakeAsync("[archives, 'mirror.example:22', '*.parts.example']");
        using EnvironmentEgress owned = way;
        OutwardPlace place = egress.Places[0];
        Assert.Equal([22, 80], place.Ports.Order());

        await using SwitchFixture lan = SwitchFixture.Start(options => options with { Networks = [options.Networks[0] with { Egress = egress }] }, "lan: a");
        SwitchPort port = lan.Switch.Options.Networks[0].Ports[0];
        await using TestGuest guest = await TestGuest.ConnectAsync(port.SocketPath, port.Mac, port.Address, SwitchFixture.Services);
        guest.SendUdp(SwitchFixture.Services, 5353, 53, DnsResponderTests.Question("mirror.example", 1));
        Assert.Equal(place.Address, Ipv4Address.Read((await guest.NextUdpAsync()).AsSpan()[^4..]));

        // No archive can be opened here, so the proxy cannot serve: what matters is that nothing goes past it.
        TestTcpClient archive = await guest.OpenAsync(place.Address, 80);
        archive.Write("GET /debian/dists/x/InRelease HTTP/1.1\r\nHost: mirror.example\r\n\r\n"u8);
        await archive.WaitAsync(() => archive.WasReset);
        Assert.Empty(_dialled);

        TestTcpClient other = await guest.OpenAsync(place.Address, 22);
        await other.WaitAsync(() => other.WasReset);
        Assert.Equal(["203.0.113.1:22"], _dialled);
        while (lan.Failures.Count == 0)
        {
            await Task.Yield();
        }

        Assert.Contains("was never fetched before", Assert.Single(lan.Failures).Message, StringComparison.Ordinal);
        lan.Failures.Clear();
    }

    private async Task<(SwitchEgress, EnvironmentEgress)> MakeAsync(string egress)
    {
        string file = Path.Combine(_folder.FullName, "env.yml");
        await File.WriteAllTextAsync(file, $"machines: {{a: debian}}\negress: {egress}\n", Token);
        EnvironmentSpec spec = await EnvironmentReader.LoadAsync(file, Token);
        var paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _folder.FullName : null);
        AppliancePlan appliance = await new AppliancePlanner(new PlannerEnvironment
        {
            Paths = paths,
            ResolveRelease = (_, _, _) => Task.FromResult(new ResolvedRelease("trixie", "13.1", "stable")),
            FindHostMirror = () => new HostMirror(new Uri("http://mirror.example/debian"), "here"),
            FindHostSecurityMirror = () => new HostMirror(new Uri("http://security.example:8080/debian-security"), "here"),
            SshDirectory = _folder.FullName,
            ZoneInfoDirectory = Path.Combine(_folder.FullName, "none"),
        }).PlanAsync(spec.Machines[0].Appliance, Token);
        IReadOnlyList<NetworkPlan> networks = AddressPlanner.Networks(spec);
        var plan = new EnvironmentPlan
        {
            Spec = spec,
            Machines = [new MachinePlan("a", appliance, null!, 512, 1, [])],
            Networks = networks,
            Places = EgressPlanner.Places(spec, networks),
            Platform = "",
        };
        var host = new EnvironmentHost(paths, null!, TimeProvider.System)
        {
            Archives = new ArchiveOptions { Offline = true },
            Outward = new OutwardWays
            {
                ResolveAsync = (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse("203.0.113.1")]),
                ConnectAsync = (to, _) =>
                {
                    _dialled.Enqueue(to.ToString());
                    throw new SocketException((int)SocketError.ConnectionRefused);
                },
            },
        };
        EnvironmentEgress way = EnvironmentEgress.For(host, plan)!;
        return (way.ForSwitch(), way);
    }
}
