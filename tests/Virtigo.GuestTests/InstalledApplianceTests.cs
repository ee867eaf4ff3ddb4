using System.Net;
using System.Net.Sockets;
using Virtigo.Archives;
using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.GuestTests;

public sealed class InstalledApplianceTests(Lab lab)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_spec_inferred_from_the_image_asks_for_the_same_packages()
    {
        StoredImage image = await lab.Golden;
        CommandResult result = await lab.RunAsync("infer", image.Key);
        Assert.True(result.ExitCode == 0, result.People);
        ApplianceSpec spec = ApplianceSpec.Parse(result.Data, "web.yml");
        AppliancePlan plan = await lab.PlanAsync();
        Assert.Equal(plan.Packages.Value, spec.Packages!.Value.Order(StringComparer.Ordinal));
        Assert.Equal(plan.Hostname.Value, spec.Hostname!.Value);
        Assert.Equal(plan.Release.Value, spec.Release!.Value);
        Assert.Null(spec.Values!.Place("users"));
        Assert.Null(spec.Values.Place("files"));
    }

    [Fact]
    public async Task The_manifest_lists_exactly_what_went_in()
    {
        ImageManifest manifest = (await lab.Golden).Manifest;

        Assert.NotEqual("root", Environment.UserName);
        Assert.Contains(manifest.Packages, package => package.Name == "nginx");
        Assert.Contains(manifest.Installer.Components, component => component.Name == "base-installer");
        Assert.All(manifest.Materials, material => Assert.NotEqual("none", material.Verified));
        Assert.Equal(3, manifest.Archives.Count);
        Assert.True(manifest.BootTest.LoginAnswered);
        Assert.Empty(manifest.BootTest.FailedUnits);

        // Every installed package passed the proxy: a file of its name and version is in the bill of materials.
        string[] files = [.. manifest.Materials.Select(material => Uri.UnescapeDataString(material.Url))];
        Assert.All(manifest.Packages, package => Assert.Contains(files, file =>
            file.Contains($"/{package.Name}_{package.Version[(package.Version.IndexOf(':', StringComparison.Ordinal) + 1)..]}_", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_second_build_answers_from_the_store_without_a_network()
    {
        await lab.Golden;
        CommandResult result = await lab.RunAsync("build", lab.Example, "--offline");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("already built", result.People + result.Data, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_machines_of_one_image_have_their_own_identity_and_the_system_is_as_described()
    {
        StoredImage image = await lab.Golden;
        string first;
        await using (BootedCopy machine = await lab.BootAsync(image.DiskPath))
        {
            first = await machine.ShellAsync("cat /etc/machine-id", Cancel);
            Assert.Equal("web", await machine.ShellAsync("hostname", Cancel));
            Assert.Equal("active", await machine.ShellAsync("systemctl is-active nginx", Cancel));
            Assert.Equal("", await machine.ShellAsync("systemctl list-units --failed --plain --no-legend", Cancel));
            Assert.Equal("no", await machine.ShellAsync("test -d /sys/firmware/efi && echo yes || echo no", Cancel));
            Assert.StartsWith("root:*:", await machine.ShellAsync("grep ^root: /etc/shadow", Cancel), StringComparison.Ordinal);
            string sources = await machine.ShellAsync("grep -h ^deb /etc/apt/sources.list", Cancel);
            Assert.Contains("-security main", sources, StringComparison.Ordinal);
            Assert.Contains("-updates main", sources, StringComparison.Ordinal);
            Assert.Equal("", await machine.ShellAsync("grep -ri proxy /etc/apt/apt.conf.d /etc/apt/apt.conf", Cancel));
            Assert.Equal("", await machine.ShellAsync("ls /etc/apt/apt.conf.d | grep virtigo; ls /etc/dpkg/dpkg.cfg.d | grep unsafe", Cancel));
            Assert.Contains("console=ttyS0", await machine.ShellAsync("cat /proc/cmdline", Cancel), StringComparison.Ordinal);
            Assert.Equal("active", await machine.ShellAsync("systemctl is-active serial-getty@ttyS0", Cancel));
            Assert.Equal("active", await machine.ShellAsync("systemctl is-active getty@tty1", Cancel));
            Assert.Contains("web login:", machine.ConsoleLog, StringComparison.Ordinal);
        }

        await using BootedCopy second = await lab.BootAsync(image.DiskPath);
        string other = await second.ShellAsync("cat /etc/machine-id", Cancel);
        Assert.Equal(32, first.Length);
        Assert.Equal(32, other.Length);
        Assert.NotEqual(first, other);
    }

    [Fact]
    public async Task A_guest_reaches_the_archives_of_its_plan_and_nothing_else()
    {
        StoredImage image = await lab.Golden;
        AppliancePlan plan = await lab.PlanAsync();
        using var client = new ArchiveClient(new Pool(lab.Paths.Pool), new ArchiveOptions());
        PlanArchives archives = await PlanArchives.OpenAsync(client, plan, Cancel);
        var proxy = new ArchiveProxy(archives.Routes(), client.Pool, new ArchiveProxyOptions());

        // Services of the host that a leaking network would reach: one on loopback, one on every address.
        using var loopback = new TcpListener(IPAddress.Loopback, 0);
        using var everywhere = new TcpListener(IPAddress.Any, 0);
        loopback.Start();
        everywhere.Start();
        int[] ports = [((IPEndPoint)loopback.LocalEndpoint).Port, ((IPEndPoint)everywhere.LocalEndpoint).Port];

        using SocketFolder sockets = SocketFolder.Create(lab.Paths);
        await using GuestGateway gateway = GuestGateway.Listen(
            new GuestGatewayOptions { SocketPath = Path.Combine(sockets.Path, "net"), DnsNames = proxy.Hosts },
            (connection, token) => proxy.ServeAsync(connection.Stream, token));
        await using BootedCopy machine = await lab.BootAsync(image.DiskPath, gateway.SocketPath);

        // The system asks for its address on its own; what is waited for is that it has one and can look up its mirror.
        string reached = await machine.ShellAsync(
            $"for i in $(seq 90); do getent hosts {plan.Mirror.Value.Host} >/dev/null && echo up && exit; sleep 1; done; ip addr; cat /etc/resolv.conf", Cancel);
        Assert.Equal("up", reached);
        string mirror = $"{plan.Mirror.Value.AbsoluteUri}dists/{plan.Release.Value}/InRelease";
        string positive = await machine.ShellAsync(
            $"/usr/lib/apt/apt-helper download-file {mirror} /tmp/InRelease >/tmp/helper.log 2>&1 || cat /tmp/helper.log; head -c 10 /tmp/InRelease", Cancel);
        Assert.Equal("-----BEGIN", positive);

        foreach (string address in Targets(gateway, ports).Append("1.1.1.1/53").Append("10.0.2.3/53"))
        {
            Assert.Equal("refused", await machine.ShellAsync(
                $"timeout 5 bash -c '</dev/tcp/{address}' 2>/dev/null && echo reached || echo refused", Cancel));
        }

        Assert.Equal("unknown", await machine.ShellAsync("timeout 20 getent hosts example.org >/dev/null && echo known || echo unknown", Cancel));
        Assert.False(loopback.Pending());
        Assert.False(everywhere.Pending());
        Assert.Contains(gateway.Refusals, refusal => refusal.Target.Contains("example.org", StringComparison.Ordinal));
    }

    private static IEnumerable<string> Targets(GuestGateway gateway, int[] ports)
    {
        IEnumerable<string> addresses = Dns.GetHostAddresses(Dns.GetHostName(), AddressFamily.InterNetwork).Select(address => address.ToString())
            .Append(gateway.Address.ToString()).Append("127.0.0.1");
        return addresses.Distinct().SelectMany(address => ports.Select(port => $"{address}/{port}"));
    }
}
