using CsCheck;
using Virtigo.Appliances;
using Virtigo.Environments;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Installers.Debian;
using Virtigo.Tests.Images;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class NetworkPlannerTests : IDisposable
{
    private const string Whole = """
        network:
          domain: corp.example
          dns: [192.0.2.53, "2001:db8::53"]
          search: [corp.example, lab.example]
          proxy: http://proxy.corp.example:3128
          interfaces:
            - {addresses: [192.0.2.10/24, "2001:db8::10/64", 192.0.2.11/24], gateway: [192.0.2.1, "fe80::1"], mtu: 1400}
            - {mac: 52:54:00:aa:bb:cc, addresses: 198.51.100.5/25}
            - {dhcp: true}
            - {dhcp: false}
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("virtigo-network-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_network_is_planned_explained_and_part_of_the_fingerprint()
    {
        AppliancePlan plan = await PlanAsync(Whole);

        Assert.Equal("corp.example", plan.Domain.Value);
        Assert.Equal("web.yml:2", plan.Domain.Origin.Text);
        Assert.Contains("ifupdown", plan.Packages.Value);
        Assert.Equal(
            """
            network.interfaces: 192.0.2.10/24, 2001:db8::10/64, 192.0.2.11/24, gateway 192.0.2.1, gateway fe80::1, MTU 1400
            network.interfaces: 52:54:00:aa:bb:cc, 198.51.100.5/25
            network.interfaces: DHCP
            network.interfaces: no address
            network.dns: 192.0.2.53, 2001:db8::53
            network.search: corp.example, lab.example
            network.proxy: http://proxy.corp.example:3128/
            """.ReplaceLineEndings("\n"),
            string.Join('\n', plan.Target.Explained.Select(line => $"{line.Key}: {line.Shown}")));
        string[] others = [Whole.Replace("mtu: 1400", "mtu: 1500"), Whole.Replace("192.0.2.53, ", ""), Whole.Replace("3128", "3129"), Whole.Replace("/25", "/26"), "packages: [ifupdown]"];
        IEnumerable<string> prints = await Task.WhenAll(others.Append(Whole).Select(async yaml => (await PlanAsync(yaml)).Fingerprint));
        Assert.Equal(others.Length + 1, prints.Distinct().Count());
    }

    [Theory]
    [InlineData("network: dhcq", "1:10: network: 'dhcq' does not fit: expected the word dhcp")]
    [InlineData("network: {interfaces: [{addresses: 192.0.2.10}]}", "'192.0.2.10' lacks the size of its network: expected something like 192.0.2.10/24")]
    [InlineData("network: {interfaces: [{addresses: 192.0.2.256/24}]}", "is not an address with the size of its network")]
    [InlineData("network: {interfaces: [{addresses: 192.0.2.0/24}]}", "is the network itself")]
    [InlineData("network: {interfaces: [{addresses: 127.0.0.1/8}]}", "is not an address with the size")]
    [InlineData("network: {interfaces: [{addresses: 192.0.2.1/33}]}", "is not an address with the size")]
    [InlineData("network: {interfaces: [{mac: 52-54-00-12-34-56}]}", "is not an Ethernet address")]
    [InlineData("network: {interfaces: [{mac: 01:00:5e:00:00:01}]}", "names a group")]
    [InlineData("network: {interfaces: [{mtu: 100}]}", "does not fit: expected a whole number from 1280 to 65520")]
    [InlineData("network: {proxy: \"http://me:hunter2@proxy.example:3128\"}", "has a user name or password in it")]
    [InlineData("network: {proxy: \"http://proxy.example:3128/$(reboot)\"}", "is not the URL of a proxy")]
    [InlineData("network: {dns: [a, b, c, d]}", "4 items; expected at most 3")]
    [InlineData("network: {interface: []}", "'interface' is no key of network; did you mean 'interfaces'?")]
    public void What_is_wrong_is_told_with_its_place(string yaml, string expected)
    {
        VirtigoException thrown = Assert.Throws<VirtigoException>(() => ApplianceSpec.Parse(yaml, "web.yml"));
        Assert.Contains(expected, thrown.Message, StringComparison.Ordinal);
        Assert.StartsWith("web.yml:1:", thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{dhcp: true, interfaces: [{dhcp: true}]}", "dhcp has every card ask, yet interfaces say")]
    [InlineData("{interfaces: [{addresses: 192.0.2.10/24, gateway: 192.0.3.1}]}", "the gateway 192.0.3.1 is in no network of the card (192.0.2.10/24)")]
    [InlineData("{interfaces: [{addresses: 192.0.2.10/24, gateway: 192.0.2.10}]}", "is the card's own address")]
    [InlineData("{interfaces: [{addresses: 192.0.2.10/24, gateway: \"2001:db8::1\"}]}", "is of IPv6, and the card has no such address")]
    [InlineData("{interfaces: [{addresses: 192.0.2.10/24, gateway: 192.0.2.1}, {addresses: 198.51.100.2/24, gateway: 198.51.100.1}]}", "a machine has one way out")]
    [InlineData("{interfaces: [{addresses: 192.0.2.10/24, gateway: [192.0.2.1, 192.0.2.2]}]}", "a machine has one way out")]
    [InlineData("{interfaces: [{dhcp: true, addresses: 192.0.2.10/24, gateway: 192.0.2.1}]}", "yet DHCP names it")]
    [InlineData("{interfaces: [{addresses: 192.0.2.10/24}, {addresses: 192.0.2.10/25}]}", "the address 192.0.2.10 is there twice")]
    [InlineData("{interfaces: [{mac: 52:54:00:aa:bb:cc}, {mac: 52:54:00:aa:bb:cc}]}", "the card 52:54:00:aa:bb:cc is there twice")]
    [InlineData("{dns: 192.0.2.53}\nfiles: [{content: x, to: /etc/resolv.conf}]", "/etc/resolv.conf is written by network")]
    [InlineData("{interfaces: [{dhcp: true}]}\npackages: [-ifupdown]", "ifupdown is to be removed, yet it is needed for the network cards")]
    public async Task What_contradicts_itself_is_refused(string network, string expected)
    {
        VirtigoException thrown = await Assert.ThrowsAsync<VirtigoException>(() => PlanAsync("network: " + network));
        Assert.Equal(FailureKind.Usage, thrown.Kind);
        Assert.Contains(expected, thrown.Message, StringComparison.Ordinal);
        Assert.Matches(@"web\.yml:\d+", thrown.Message);
        Assert.NotNull(thrown.Hint);
    }

    [Fact]
    public async Task The_installed_system_gets_its_files_after_everything_that_needs_the_installers_network()
    {
        AppliancePlan plan = await PlanAsync(Whole + "\nrun: [apt-get update]\n");
        TargetSteps steps = TargetSteps.For(plan.Target.Choices, plan.Domain.Value);
        using var shell = new TargetShell();
        shell.Write("etc/dhcpcd.conf", "# its own\n");
        shell.Write("etc/environment", "");
        shell.Write("etc/elsewhere", "");
        File.CreateSymbolicLink(shell.Path("etc/resolv.conf"), "elsewhere");
        shell.Hand(steps);

        Assert.Equal(0, shell.Run(steps.AtEnd));
        Assert.False(File.Exists(shell.Path("etc/network/interfaces")));
        Assert.Equal(0, shell.Run(steps.Leaving));
        Assert.Equal(
            """
            # Written by Virtigo. See interfaces(5).
            source /etc/network/interfaces.d/*

            auto lo
            iface lo inet loopback

            auto /e[nt]*/1=nic1
            iface nic1 inet static
                pre-up ip link set dev "$IFACE" mtu 1400
                address 192.0.2.10/24
                gateway 192.0.2.1
            iface nic1 inet static
                address 192.0.2.11/24
            iface nic1 inet6 static
                address 2001:db8::10/64
                gateway fe80::1

            auto mac/52:54:00:aa:bb:cc=nic2
            iface nic2 inet static
                address 198.51.100.5/25

            auto /e[nt]*/3=nic3
            iface nic3 inet dhcp

            auto /e[nt]*/4=nic4
            iface nic4 inet manual
                up ip link set dev "$IFACE" up

            """.ReplaceLineEndings("\n"), shell.Read("etc/network/interfaces"));
        Assert.Equal("search corp.example lab.example\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n", shell.Read("etc/resolv.conf"));
        Assert.Equal("", shell.Read("etc/elsewhere"));
        Assert.Equal("# its own\nnohook resolv.conf\n", shell.Read("etc/dhcpcd.conf"));
        Assert.Contains("Acquire::https::Proxy \"http://proxy.corp.example:3128\";\n", shell.Read("etc/apt/apt.conf.d/80proxy"), StringComparison.Ordinal);
        Assert.Contains("https_proxy=http://proxy.corp.example:3128\n", shell.Read("etc/environment"), StringComparison.Ordinal);
        string[] order = [.. shell.Calls().Where(call => call[0] is "tar" or "env").Select(call => call[0])];
        Assert.Equal(["tar", "env", "tar"], order);
    }

    [Fact]
    public async Task Without_dns_a_system_with_dhcp_keeps_its_own_and_one_without_knows_only_its_domain()
    {
        AppliancePlan dhcp = await PlanAsync("network: dhcp"), alone = await PlanAsync("network: {interfaces: [{addresses: 192.0.2.10/24}]}");

        Assert.False(dhcp.Target.Choices.Network.HasResolver);
        Assert.Contains("auto /e[nt]*=dhcp\niface dhcp inet dhcp\n", dhcp.Target.Choices.Network.InterfacesFile(), StringComparison.Ordinal);
        Assert.True(alone.Target.Choices.Network.HasResolver);
        Assert.Equal("search internal\n", alone.Target.Choices.Network.ResolverFile("internal"));
    }

    [Fact]
    public async Task A_network_without_addresses_of_its_own_gets_those_of_its_machine()
    {
        EnvironmentSpec spec = await EnvironmentAsync("""
            machines:
              web: web.yml
              client: debian
            """);
        IReadOnlyList<NetworkPlan> networks = AddressPlanner.Networks(spec);
        Dictionary<string, IReadOnlyList<NicPlan>> nics = AddressPlanner.Nics(spec, networks);

        Assert.Equal("192.0.2.0/24", networks[0].Subnet.ToString());
        NicPlan web = Assert.Single(nics["web"]), client = Assert.Single(nics["client"]);
        Assert.Equal(("192.0.2.10", true, false), (web.Address.ToString(), web.BringsAddress, web.AsksDhcp));
        Assert.Equal(("192.0.2.11", false, true), (client.Address.ToString(), client.BringsAddress, client.AsksDhcp));
        string script = MachineSetup.Script("web", nics["web"], networks, hasWayOut: false);
        Assert.Contains("brought \"$dev\" 192.0.2.10 24\nnamed \"$dev\" 192.0.2.1 alone\n", script, StringComparison.Ordinal);
        Assert.Contains("leased \"$dev\" 192.0.2.11 192.0.2.1 24 alone\n", MachineSetup.Script("client", nics["client"], networks, hasWayOut: false), StringComparison.Ordinal);
        await Tool.RunAsync("/bin/sh", ["-n", "-c", script], Token);
    }

    [Fact]
    public async Task A_machine_of_an_appliance_that_builds_on_another_has_the_addresses_of_that_one()
    {
        EnvironmentSpec spec = await EnvironmentAsync("machines: {web: layer.yml}\n");
        IReadOnlyList<NetworkPlan> networks = AddressPlanner.Networks(spec);

        NicPlan card = Assert.Single(AddressPlanner.Nics(spec, networks)["web"]);
        Assert.Equal(("192.0.2.0/24", "192.0.2.10", true), (networks[0].Subnet.ToString(), card.Address.ToString(), card.BringsAddress));
    }

    [Fact]
    public async Task Each_card_has_the_network_and_the_ethernet_address_that_its_place_says()
    {
        EnvironmentSpec spec = await EnvironmentAsync("""
            networks: {front: {subnet: 192.0.2.0/24}, back: {}}
            machines:
              web: {appliance: web.yml, networks: {front: 192.0.2.77, back: auto}}
            """);
        IReadOnlyList<NetworkPlan> networks = AddressPlanner.Networks(spec);
        IReadOnlyList<NicPlan> nics = AddressPlanner.Nics(spec, networks)["web"];

        Assert.Equal("198.51.100.0/25", networks[1].Subnet.ToString());
        Assert.Equal(("192.0.2.77", false, false), (nics[0].Address.ToString(), nics[0].BringsAddress, nics[0].AsksDhcp));
        Assert.Equal(("198.51.100.5", true, "52:54:00:aa:bb:cc"), (nics[1].Address.ToString(), nics[1].BringsAddress, nics[1].Mac.ToString()));
        string script = MachineSetup.Script("web", nics, networks, hasWayOut: true);
        Assert.Contains("ip address replace 192.0.2.77/24 dev \"$dev\"\nnamed \"$dev\" 192.0.2.1 routed\n", script, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("networks: {lan: {subnet: 10.1.0.0/24}}\nmachines: {web: web.yml}", "the address 192.0.2.10, which its appliance fixes, is no address of the network lan",
        "networks: {lan: {subnet: 192.0.2.0/24}}; or the machine an address of the network, which it then has too: machines: {web: {networks: {lan: 10.1.0.5}}}")]
    [InlineData("machines: {web: web.yml, other: web.yml}", "machine other: the address 192.0.2.10, which its appliance fixes, is given twice", "Give the machine an address")]
    [InlineData("networks: {a: {}, lan: {}}\nmachines: {web: {appliance: web.yml, networks: [a, lan]}, other: {appliance: web.yml, networks: {a: 192.0.2.9, lan: 198.51.100.9}}}",
        "two machines have a card with the Ethernet address 52:54:00:aa:bb:cc", "Leave mac out")]
    public async Task What_does_not_fit_is_refused_before_anything_boots(string environment, string expected, string hint)
    {
        EnvironmentSpec spec = await EnvironmentAsync(environment);
        VirtigoException thrown = Assert.Throws<VirtigoException>(() => AddressPlanner.Nics(spec, AddressPlanner.Networks(spec)));
        Assert.Equal(FailureKind.Usage, thrown.Kind);
        Assert.Contains(expected, thrown.Message, StringComparison.Ordinal);
        Assert.Contains(hint, thrown.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Definitions_have_as_many_cards_as_the_image()
    {
        ImageManifest manifest = TestStore.Manifest(TestStore.KeyOf("a")) with { NetworkCards = [new(null), new("52:54:00:aa:bb:cc"), new(null)] };
        var shape = MachineShape.Of(manifest);
        Assert.Equal([null, "52:54:00:aa:bb:cc", null], shape.Cards);
        string Of(DefinitionKind kind) => MachineDefinitions.Write(manifest, kind, new DefinitionOptions { DiskPath = "/d.qcow2", Format = DiskFormat.Qcow2 })[0].Content;

        Assert.Contains("virtio-net-pci,netdev=net1,addr=0x18,mac=52:54:00:aa:bb:cc \\\n", Of(DefinitionKind.Qemu), StringComparison.Ordinal);
        Assert.Equal(3, Of(DefinitionKind.Libvirt).Split("<interface type=\"network\">").Length - 1);
        Assert.Contains("<mac address=\"52:54:00:aa:bb:cc\" />", Of(DefinitionKind.Libvirt), StringComparison.Ordinal);
        Assert.Contains("vif = [ \"bridge=xenbr0\", \"mac=52:54:00:aa:bb:cc,bridge=xenbr0\", \"bridge=xenbr0\" ]", Of(DefinitionKind.Xen), StringComparison.Ordinal);
        Assert.Contains("--net1 \"virtio=52:54:00:AA:BB:CC,bridge=$bridge\" --net2", Of(DefinitionKind.Proxmox), StringComparison.Ordinal);
        Assert.Equal(3, OvfDescriptor.Write(shape, "d.vmdk", 1).Split("<rasd:ResourceType>10</rasd:ResourceType>").Length - 1);
        Assert.Throws<VirtigoException>(() => MachineDefinitions.Write(manifest with { NetworkCards = [new("$(reboot)")] }, DefinitionKind.Xen,
            new DefinitionOptions { DiskPath = "/d.qcow2", Format = DiskFormat.Qcow2 }));
    }

    [Fact]
    public void Whatever_is_accepted_gives_files_of_nothing_but_words_that_were_checked() =>
        Gen.OneOf(Gen.String[Gen.Char["0123456789abcdef:./%[] \n\"$"], 1, 20],
            Golden.Pieces("192.0.2.1/24", "fe80::1/64", "::ffff:1.2.3.4/96", "0x7f.1/8", "1.2.3.4/031", "::/0", "2001:db8::1%eth0/64")).Sample(text =>
        {
            if (ValueChecks.AddressWithPrefix(text) is null)
            {
                string written = new TargetNetwork { Interfaces = [new TargetInterface(null, false, [ValueChecks.ReadTargetAddress(text)!], [], null)] }.InterfacesFile();
                string line = Assert.Single(written.Split('\n'), one => one.Contains("    address ", StringComparison.Ordinal));
                Assert.DoesNotContain(line.Trim()["address ".Length..], character => !(char.IsAsciiHexDigitLower(character) || character is ':' or '.' or '/'));
            }
        });

    private async Task<AppliancePlan> PlanAsync(string yaml)
    {
        var host = new PlannerEnvironment
        {
            Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _folder : null),
            ResolveRelease = (_, suite, _) => Task.FromResult(new ResolvedRelease("trixie", "13.1", suite)),
            FindHostMirror = () => new HostMirror(new Uri("http://host.example/debian"), "/etc/apt/sources.list:1"),
            SshDirectory = _folder,
            ZoneInfoDirectory = Path.Combine(_folder, "zoneinfo"),
        };
        return await new AppliancePlanner(host).PlanAsync(ApplianceSpec.Parse(yaml, "web.yml"), Token);
    }

    private async Task<EnvironmentSpec> EnvironmentAsync(string yaml)
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "web.yml"), Whole, Token);
        await File.WriteAllTextAsync(Path.Combine(_folder, "layer.yml"), "from: web.yml\npackages: [nginx]\n", Token);
        await File.WriteAllTextAsync(Path.Combine(_folder, "env.yml"), yaml, Token);
        return await EnvironmentReader.LoadAsync(Path.Combine(_folder, "env.yml"), Token);
    }
}
