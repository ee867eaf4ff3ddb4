using Virtigo.Appliances;
using CsCheck;
using Virtigo.Environments;
using Virtigo.Machines;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Environments;

public sealed class EnvironmentReaderTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_machine_is_an_appliance_written_right_here_or_in_a_file_or_a_distribution()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "web.yml"), "packages: [nginx]\n", Token);

        EnvironmentSpec spec = await ReadAsync("""
            machines:
              server: web.yml
              client: {packages: [zsh, curl], memory: 2GiB, cpus: 2}
              plain: debian
              bare:
            """);

        Assert.Equal(["server", "client", "plain", "bare"], spec.Machines.Select(machine => machine.Name));
        Assert.Equal(["web", "curl", "debian", "debian"], spec.Machines.Select(machine => machine.Appliance.Name.Value));
        Assert.Equal([null, 2048, null, null], spec.Machines.Select(machine => machine.MemoryMiB));
        Assert.Null(spec.Machines[1].Appliance.MemoryMiB);
        Assert.All(spec.Machines, machine => Assert.Equal("lan", Assert.Single(machine.Networks).Network));
    }

    [Fact]
    public async Task A_machine_may_build_on_an_appliance_and_take_keys_in()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "web.yml"), "packages: [nginx]\n", Token);
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "users.yml"), "users: [bob]\n", Token);

        EnvironmentSpec spec = await ReadAsync("machines: {server: {from: web.yml, include: users.yml, packages: [curl], memory: 2GiB}}");

        ApplianceSpec appliance = Assert.Single(spec.Machines).Appliance;
        Assert.Equal("web", appliance.From!.Value.Name.Value);
        Assert.Equal(["nginx"], appliance.From.Value.Packages!.Value);
        Assert.Equal(["curl"], appliance.Packages!.Value);
        Assert.Single(appliance.Values!.Items("users"));
        Assert.Contains("matrix: only the spec that is built has one",
            (await Assert.ThrowsAsync<VirtigoException>(() => ReadAsync("machines: {a: {matrix: {release: [a, b]}}}"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_machine_is_driven_through_its_agent_unless_its_serial_console_is_asked_for()
    {
        EnvironmentSpec spec = await ReadAsync("""
            machines:
              one: debian
              other: {appliance: debian, control: serial}
            """);

        Assert.Equal([MachineControl.Agent, MachineControl.SerialConsole], spec.Machines.Select(machine => machine.Control));
    }

    [Fact]
    public async Task Addresses_follow_from_the_file_and_never_clash()
    {
        EnvironmentSpec spec = await ReadAsync("""
            networks: {front: {subnet: 10.1.0.0/24}, back: {mtu: 9000}}
            machines:
              a: {networks: {front: 10.1.0.11, back: auto}}
              b: {networks: [back, front]}
              c: {networks: front}
            """);
        IReadOnlyList<NetworkPlan> networks = AddressPlanner.Networks(spec);
        Dictionary<string, IReadOnlyList<NicPlan>> nics = AddressPlanner.Nics(spec, networks);

        Assert.Equal("10.1.0.0/24 10.90.1.0/24", string.Join(' ', networks.Select(network => network.Subnet)));
        Assert.Equal("10.1.0.11 10.90.1.11", string.Join(' ', nics["a"].Select(nic => nic.Address)));
        Assert.Equal("10.90.1.12 10.1.0.12", string.Join(' ', nics["b"].Select(nic => nic.Address)));
        Assert.Equal("fd90::b", nics["a"][0].Ipv6.ToString());
        NicPlan[] all = [.. nics.Values.SelectMany(cards => cards)];
        Assert.Equal(all.Length, all.Select(nic => nic.Mac).Distinct().Count());
        Assert.All(all, nic => Assert.False(nic.Mac.IsGroup));
    }

    [Theory]
    [InlineData("{}", "1:1: machines: expected 1 to 50")]
    [InlineData("machines: {Web: debian}", "1:12: 'Web' is no name of a machine")]
    [InlineData("machines: {start: debian}", "1:12: machines: 'start'")]
    [InlineData("machines: {a: {package: [x]}}", "'package' is no key of a machine; did you mean 'packages'?")]
    [InlineData("machines: {a: {appliance: debian, packages: [nginx]}}", "'packages' belongs into 'debian'")]
    [InlineData("machines: {a: debain}", "did you mean 'debian'?")]
    [InlineData("machines: {a: {networks: [bak]}}\nnetworks: {back: {}}", "there is no network 'bak'; did you mean 'back'?")]
    [InlineData("machines: {a: {networks: {lan: 10.90.0.500}}}", "'10.90.0.500' is no address")]
    [InlineData("machines: {a: debian}\nforward: [b:80]", "there is no machine 'b'")]
    [InlineData("machines: {a: debian}\nforward: [a:99999]", "is no port of a machine")]
    [InlineData("machines: {a: debian}\negress: 'http://x'", "is no host: expected its name alone")]
    [InlineData("machines: {a: debian}\nnetworks: {lan: {subnet: 10.0.0.1/24}}", "is no network")]
    [InlineData("machines: {a: debian}\nready: [b: true]", "'b' is neither a machine nor a verb")]
    public async Task What_is_wrong_is_told_with_its_place(string yaml, string expected)
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => ReadAsync(yaml));

        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Matches(@"env\.yml:\d+:\d+: ", error.Message);
    }

    [Theory]
    [InlineData("{a: {networks: {lan: 10.90.0.1}}}", "is that of the network lan itself")]
    [InlineData("{a: {networks: {lan: 10.91.0.5}}}", "is no address of the network lan")]
    [InlineData("{a: {networks: {lan: 10.90.0.5}}, b: {networks: {lan: 10.90.0.5}}}", "is given twice")]
    public async Task An_address_that_cannot_be_is_refused(string machines, string expected)
    {
        EnvironmentSpec spec = await ReadAsync("machines: " + machines);

        VirtigoException error = Assert.Throws<VirtigoException>(() => AddressPlanner.Nics(spec, AddressPlanner.Networks(spec)));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Networks_that_overlap_are_refused()
    {
        EnvironmentSpec spec = await ReadAsync("machines: {a: debian}\nnetworks: {x: {subnet: 10.0.0.0/8}, y: {subnet: 10.2.0.0/16}}");

        Assert.Contains("overlap", Assert.Throws<VirtigoException>(() => AddressPlanner.Networks(spec)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_ready_steps_text_is_kept_and_nothing_behind_it()
    {
        EnvironmentSpec spec = await ReadAsync("machines: {a: debian}\nready:\n  - a: one\n  - a: two\nseed: 7\n");

        Assert.Equal(2, spec.Ready.Count);
        Assert.Contains("a: two", spec.ReadyText, StringComparison.Ordinal);
        Assert.DoesNotContain("seed", spec.ReadyText, StringComparison.Ordinal);
        Assert.Equal(7UL, spec.Seed);
    }

    [Fact]
    public void Any_text_ends_in_an_environment_or_in_sentences() =>
        Gen.String[Gen.Char["machines:networks{}[],\n -#'\"ready0123./auto"], 0, 200].Sample(text =>
        {
            try
            {
                ReadAsync("machines: {a: debian}\n" + text).GetAwaiter().GetResult();
            }
            catch (VirtigoException error)
            {
                Assert.Equal(FailureKind.Usage, error.Kind);
            }
        }, iter: 300);

    [Fact]
    public void Subnets_are_read_as_they_are_written() =>
        Gen.Select(Gen.UInt, Gen.Int[8, 29]).Sample((bits, prefix) =>
        {
            var subnet = new Ipv4Subnet(new Ipv4Address(bits), prefix);
            Assert.Equal(subnet, NetworkText.Subnet(subnet.ToString()));
        }, iter: 200);

    private async Task<EnvironmentSpec> ReadAsync(string yaml)
    {
        string file = Path.Combine(_folder.FullName, "env.yml");
        await File.WriteAllTextAsync(file, yaml, Token);
        return await EnvironmentReader.LoadAsync(file, Token);
    }
}
