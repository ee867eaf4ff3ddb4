using CsCheck;
using Virtigo.Environments;
using Virtigo.Environments.Steps;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Environments;

public sealed class EgressTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("none", "")]
    [InlineData("[]", "")]
    [InlineData("", "")]
    [InlineData("archives", "archives")]
    [InlineData("api.example.org", "api.example.org")]
    [InlineData("[archives, API.example.org, example.net:8443, '*.Example.com', '192.0.2.7:5432', git:22]",
        "archives api.example.org example.net:8443 *.example.com 192.0.2.7:5432 git:22")]
    public async Task Egress_is_a_word_a_host_or_a_list(string yaml, string expected)
    {
        EgressSpec egress = (await ReadAsync($"machines: {{a: debian}}\negress: {yaml}\n")).Egress;

        Assert.Equal(expected, string.Join(' ', egress.Hosts.Select(host => host.ToString()).Prepend(egress.Archives ? "archives" : "")).Trim());
    }

    [Theory]
    [InlineData("archive", "2:9: egress: 'archive' is neither none nor archives, and a host without a dot in its name needs its port", "did you mean 'archives'?")]
    [InlineData("nome", "did you mean 'none'?")]
    [InlineData("[archives, none]", "2:20: egress: none stands alone")]
    [InlineData("[a.example, A.example]", "2:21: egress: 'A.example' is given twice")]
    [InlineData("'http://api.example.org/x'", "is no host: expected its name alone; did you mean 'api.example.org'?")]
    [InlineData("['https://api.example.org:8443']", "did you mean 'api.example.org:8443'?")]
    [InlineData("api.example.org.", "did you mean 'api.example.org'?")]
    [InlineData("'api.example.org:'", "has no port behind the colon")]
    [InlineData("'api.example.org:65536'", "has no port behind the colon")]
    [InlineData("'api.example.org:http'", "has no port behind the colon")]
    [InlineData("'*'", "would open everything")]
    [InlineData("'*.com'", "would open a whole top-level domain")]
    [InlineData("'*:443'", "would open everything")]
    [InlineData("'a.*.example.org'", "is no host")]
    [InlineData("'*.*.example.org'", "did you mean 'example.org'?")]
    [InlineData("'bücher.example'", "is no host")]
    [InlineData("'a b.example'", "is no host")]
    [InlineData("127.0.0.1", "cannot be opened: it is a loopback address")]
    [InlineData("'169.254.169.254:80'", "cannot be opened: it is a link-local address")]
    [InlineData("0.0.0.0", "cannot be opened: it is an unspecified address")]
    [InlineData("127.1", "is an address in an unusual form: did you mean '127.0.0.1'?")]
    [InlineData("'2001:db8::1'", "machines have no way to IPv6 addresses")]
    [InlineData("'localhost:80'", "is the host itself")]
    [InlineData("db.localhost", "is the host itself")]
    [InlineData("'a:80'", "2:9: egress: 'a' is the machine a of this environment")]
    [InlineData("[x.example, a.internal]", "2:21: egress: 'a.internal' is the machine a of this environment")]
    [InlineData("{archives: true}", "found a mapping")]
    [InlineData("[[a.example]]", "expected archives or a host here")]
    public async Task What_is_wrong_is_told_with_its_place_and_what_was_meant(string yaml, params string[] expected)
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => ReadAsync($"machines: {{a: debian}}\negress: {yaml}\n"));

        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.All(expected, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        Assert.Matches(@"env\.yml:2:\d+: ", error.Message);
    }

    [Theory]
    [InlineData("[archives, *.example.com]")]
    [InlineData("*.example.com")]
    public async Task A_star_without_quotes_is_told(string yaml)
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => ReadAsync($"machines: {{a: debian}}\negress: {yaml}\n"));

        Assert.Contains("quote", error.Message, StringComparison.Ordinal);
        Assert.Matches(@"env\.yml:2:\d+: ", error.Message);
    }

    [Fact]
    public void Any_text_is_a_host_or_a_sentence() => Gen.String[Gen.Char["abz019.-_*:/[]AZ ü"], 0, 80].Sample(text =>
    {
        EgressHost? host = EgressHost.Read(text, out string? problem);
        Assert.Equal(host is null, problem is not null);
        if (host is not null)
        {
            Assert.Equal(host, EgressHost.Read(host.ToString(), out _));
            Assert.True(NetworkText.Address(host.Pattern) is not null || HostName.IsValid(host.Pattern.Replace("*.", "", StringComparison.Ordinal)));
        }
    }, iter: 20_000);

    [Fact]
    public async Task Every_host_has_an_address_of_its_own_outside_of_the_networks_and_the_ports_of_all_that_cover_it()
    {
        IReadOnlyList<OutwardPlace> places = await PlacesAsync("""
            networks: {lan: {subnet: 198.18.0.0/24}}
            machines: {a: debian}
            egress: [api.example.com, "api.example.com:22", "*.example.com:8443", "*.b.example.com:25", 198.18.1.0, 203.0.113.9]
            """);

        Assert.Equal(
            ["198.18.1.1 api.example.com 22,80,443,8443", "198.18.1.2 *.example.com 8443", "198.18.1.3 *.b.example.com 25,8443", "198.18.1.0 198.18.1.0 80,443", "203.0.113.9 203.0.113.9 80,443"],
            places.Select(place => $"{place.Address} {place.Pattern} {string.Join(',', place.Ports.Order())}"));
    }

    [Theory]
    [InlineData("egress: 10.90.0.7", "lies in the network lan")]
    [InlineData("networks: {lan: {subnet: 198.0.0.0/8}}\negress: api.example.org", "leave no address of 198.18.0.0/15 free")]
    public async Task A_host_that_no_machine_could_reach_from_its_network_is_refused(string yaml, string expected)
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => PlacesAsync("machines: {a: debian}\n" + yaml));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_list_of_hosts_is_another_environment()
    {
        async Task<string> KeyAsync(string egress)
        {
            EnvironmentSpec spec = await ReadAsync("machines: {a: debian}\negress: " + egress);
            IReadOnlyList<NetworkPlan> networks = AddressPlanner.Networks(spec);
            return new EnvironmentPlan { Spec = spec, Machines = [], Networks = networks, Places = EgressPlanner.Places(spec, networks), Platform = "" }.Key;
        }

        string[] keys = [await KeyAsync("none"), await KeyAsync("archives"), await KeyAsync("a.example"), await KeyAsync("[archives, a.example]"), await KeyAsync("a.example:80"), await KeyAsync("b.example")];
        Assert.Equal(keys.Length, keys.Distinct().Count());
        Assert.Equal(keys[2], await KeyAsync("A.EXAMPLE"));
    }

    [Fact]
    public void What_was_refused_is_told_in_sentences_that_name_the_host_and_no_more_than_a_few()
    {
        OutwardPlace[] places = [new(Ipv4Address.Of(198, 18, 0, 1), "api.example.org", new HashSet<int> { 80, 443 })];
        GatewayRefusal[] refusals =
        [
            new("dns", "other.example", 0, 3), new("dns", "other.example.internal", 0, 1), new("dns", "1.0.0.10.in-addr.arpa", 0, 1), new("dns", "_http._tcp.x.example", 0, 1),
            new("arp", "10.1.1.1", 0, 1), new("tcp", "198.18.0.1", 22, 1), new("udp", "198.18.0.1", 443, 1), new("tcp", "192.0.2.1", 53, 1),
            new("tcp", "api.example.org", 443, 1) { Reason = "resolves to 127.0.0.1, a loopback address, which is this host" },
        ];

        string[] listed =
        [
            "api.example.org:443 resolves to 127.0.0.1, a loopback address, which is this host",
            "api.example.org:22 is not open: egress lists api.example.org",
            "api.example.org:443 by udp: only TCP leads out",
        ];
        Assert.Equal(listed, RefusalText.Of(refusals, places, listedOnly: true));
        Assert.Equal([.. listed, "other.example is not listed in egress", "192.0.2.1:53 by tcp is not listed in egress"], RefusalText.Of(refusals, places, listedOnly: false));

        IReadOnlyList<string> flood = RefusalText.Of(Enumerable.Range(0, 500).Select(number => new GatewayRefusal("dns", $"n{number}.example", 0, 1)), places, listedOnly: false);
        Assert.Equal(RefusalText.Most + 1, flood.Count);
        Assert.Equal("… and 490 more", flood[^1]);
    }

    [Fact]
    public async Task The_proof_of_isolation_says_what_is_open_and_still_tries_everything_else()
    {
        string tried = "";
        var machine = new FakeMachine("a", [])
        {
            Answer = (command, _, _) =>
            {
                tried += command;
                return Task.FromResult(FakeMachine.Result(0, string.Concat(Enumerable.Repeat("x unreachable\n", Count(command)))));
            },
        };
        var target = new OpenTarget(machine)
        {
            Places =
            [
                new(Ipv4Address.Of(198, 18, 0, 1), "example.org", new HashSet<int> { 80, 443 }),
                new(Ipv4Address.Of(1, 1, 1, 1), "1.1.1.1", new HashSet<int> { 53 }),
                new(Ipv4Address.Of(198, 18, 0, 2), "*.example.net", new HashSet<int> { 8443 }),
            ],
            Archives = ["mirror.example"],
        };
        var context = new StepContext { Target = target, BaseFolder = "" };
        IsolationStep step = IsolationStep.For("shop.yml", ["a"], isOpen: true);

        await step.RunAsync(context, Token);

        Assert.Equal("nothing but the environment and what egress lists can be reached", step.Title);
        Assert.Contains("opened by egress: the archive mirror.example, through the verifying proxy\nopened by egress: example.org, TCP port 80, 443, found at 198.18.0.1\n",
            context.Output.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("getent ahosts example.org", tried, StringComparison.Ordinal);
        Assert.DoesNotContain("/dev/tcp/1.1.1.1/53", tried, StringComparison.Ordinal);
        Assert.All((string[])["/dev/tcp/8.8.8.8/53", "/dev/tcp/198.18.0.1/81", "/dev/tcp/1.1.1.1/81", "/dev/tcp/198.18.0.2/81", "getent ahosts one.one.one.one",
            "Host: not-listed.invalid", "not-listed.invalid at 198.18.0.1 port 80 REACHED", "not-listed.invalid at 198.18.0.2 port 8443 REACHED"],
            part => Assert.Contains(part, tried, StringComparison.Ordinal));
    }

    private static int Count(string command) => command.Split('\n').Count(line => line.StartsWith('('));

    private async Task<IReadOnlyList<OutwardPlace>> PlacesAsync(string yaml)
    {
        EnvironmentSpec spec = await ReadAsync(yaml);
        return EgressPlanner.Places(spec, AddressPlanner.Networks(spec));
    }

    private async Task<EnvironmentSpec> ReadAsync(string yaml)
    {
        string file = Path.Combine(_folder.FullName, "env.yml");
        await File.WriteAllTextAsync(file, yaml, Token);
        return await EnvironmentReader.LoadAsync(file, Token);
    }

    private sealed class OpenTarget(IStepMachine machine) : IStepTarget
    {
        public IReadOnlyList<string> MachineNames => ["a"];

        public IReadOnlyList<OutwardPlace> Places { get; init; } = [];

        public IReadOnlyList<string> Archives { get; init; } = [];

        public IStepMachine Machine(string name) => machine;

        public void SetFault(LinkSelector selector, LinkFault fault) => throw new InvalidOperationException();

        public void ClearFaults() => throw new InvalidOperationException();

        public void SetPartition(IReadOnlyList<LinkSelector> cuts) => throw new InvalidOperationException();
    }
}
