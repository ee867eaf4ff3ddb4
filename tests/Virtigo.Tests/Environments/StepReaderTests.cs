using System.Globalization;
using System.Text.Json;
using CsCheck;
using Virtigo.Appliances;
using Virtigo.Environments.Steps;
using Virtigo.Hypervisors;
using Virtigo.Machines;
using Virtigo.Networks;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Environments;

public sealed class StepReaderTests
{
    private static readonly string[] s_machines = ["server", "client", "third", "fourth"];

    private static IReadOnlyList<Step> Read(string yaml)
    {
        var problems = new SpecProblems("shop.yml");
        IReadOnlyList<Step> steps = StepReader.Read(YamlTree.Read(yaml, problems)!, "a test", s_machines, problems);
        problems.ThrowIfAny("");
        return steps;
    }

    private static T One<T>(string yaml)
        where T : Step => Assert.IsType<T>(Assert.Single(Read(yaml)));

    private static string Told(string yaml) => Assert.Throws<VirtigoException>(() => Read(yaml)).Message;

    [Fact]
    public void A_machine_and_a_text_is_a_command_that_must_succeed()
    {
        CommandStep step = One<CommandStep>("- client: curl -sf http://server/ | grep -q Welcome");
        Assert.Equal(("client", "curl -sf http://server/ | grep -q Welcome"), (step.Machine, step.Command));
        Assert.Null(step.Within);
        Assert.Equal("shop.yml:1:3", step.Place.ToString());
        Assert.Equal("client: curl -sf http://server/ | grep -q Welcome", step.Title);
    }

    [Fact]
    public void A_command_says_what_is_expected_of_it()
    {
        CommandStep step = One<CommandStep>(
            """
            - server:
                run: cat
                within: 1m
                exit: 3
                user: www-data
                env: {LANG: C, PORT: 80}
                input: hello
                directory: /srv
                prints: hel
                not prints: [x, y]
                name: it echoes
            """);
        Assert.Equal(TimeSpan.FromMinutes(1), step.Within);
        Assert.Equal((3, "www-data", "hello", "/srv"), (step.Exit!.Value, step.User, step.Input, step.Directory));
        Assert.Equal("80", step.Variables["PORT"]);
        Assert.Equal(["hel"], step.Prints);
        Assert.Equal(["x", "y"], step.PrintsNot);
        Assert.Equal("it echoes", step.Title);
    }

    [Fact]
    public void Words_of_power_take_one_machine_several_or_all()
    {
        Assert.Equal(["server"], One<PowerStep>("- power cut: server").Machines);
        Assert.Equal(["client", "server"], One<PowerStep>("- start: [client, server]").Machines);
        Assert.Equal(s_machines, One<PowerStep>("- shutdown: all").Machines);
        Assert.Equal(PowerAction.PowerCut, One<PowerStep>("- power cut: server").Action);
    }

    [Fact]
    public void A_link_has_faults_with_their_units()
    {
        LinkStep step = One<LinkStep>("- link: {from: client, to: server, delay: 200ms, loss: 5%, rate: 1MB/s, both ways: true}");
        Assert.Equal(new LinkFault { Delay = TimeSpan.FromMilliseconds(200), Loss = 0.05, BytesPerSecond = 1_000_000 }, step.Fault);
        Assert.True(step.BothWays);
        Assert.Equal("link: from client, to server, delay 200ms, loss 5%, rate 1MB/s, both ways true", step.Title);
        Assert.Equal(["client", "server"], step.Machines);
    }

    [Fact]
    public void A_disk_a_clock_and_a_wait_are_read()
    {
        Assert.Equal(new DiskFault(DiskFaultKind.Slow, 2000), One<DiskStep>("- disk: {machine: server, fault: slow, rate: 2kB/s}").Fault);
        Assert.Equal(new DiskFault(DiskFaultKind.LostWrites), One<DiskStep>("- disk: {machine: server, fault: lost writes}").Fault);
        Assert.Equal(new DiskFault(DiskFaultKind.LostWrites) { Loss = DiskLoss.Some },
            One<DiskStep>("- disk: {machine: server, fault: lost writes, lost: some}").Fault);
        Assert.Equal(TimeSpan.FromMinutes(-30), One<ClockStep>("- clock: {machine: server, jump: -30m}").Jump);
        Assert.Equal(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero), One<ClockStep>("- clock: {machine: server, set: 2030-01-01}").Set);
        WaitStep wait = One<WaitStep>("- wait for: {machine: server, closed port: 80}");
        Assert.Equal((WaitKind.ClosedPort, 80, TimeSpan.FromMinutes(1)), (wait.Kind, wait.Port, wait.Within));
    }

    [Theory]
    [InlineData("pause here")]
    [InlineData("breakpoint")]
    [InlineData("pause here:")]
    public void A_breakpoint_stands_alone(string step) => One<BreakpointStep>("- " + step);

    [Fact]
    public void Every_example_of_the_table_is_a_valid_step()
    {
        foreach (StepVerb verb in StepVerbs.All.Prepend(StepVerbs.Command))
        {
            Assert.Single(Read("- " + verb.Example));
            foreach (SpecKey key in verb.Keys)
            {
                var problems = new SpecProblems("table");
                YamlMap map = Assert.IsType<YamlMap>(YamlTree.Read(key.Example.Replace("[a, b]", "[client, server]", StringComparison.Ordinal), problems));
                Assert.Equal(key.Key, map.Entries[0].Key.Value);
                Assert.NotNull(key.Type.Read(map.Entries[0].Value, key, problems));
                Assert.False(problems.Any);
            }
        }
    }

    [Theory]
    [InlineData("- servr: true", "shop.yml:1:3: 'servr' is neither a machine nor a verb; did you mean 'server'?")]
    [InlineData("- powercut: server", "did you mean 'power cut'?")]
    [InlineData("- disk: {machine: server, fault: full, lost: some}", "shop.yml:1:46: disk: lost belongs to the fault lost writes")]
    [InlineData("- disk: {machine: server, fault: lost writes, lost: most}", "shop.yml:1:53: disk.lost: 'most'")]
    [InlineData("- power cut: srver", "shop.yml:1:14: power cut.machines: 'srver' is no machine of this environment; did you mean 'server'?")]
    [InlineData("- client: {run: a, wihtin: 3s}", "shop.yml:1:20: 'wihtin' is no key of client; did you mean 'within'?")]
    [InlineData("- client: {within: 3s}", "the command is missing")]
    [InlineData("- client: {run: a, within: 3}", "MACHINE.within: '3' is not a duration: expected a number with a unit, such as 200ms, 60s, 2m or 1h, at most 7 days")]
    [InlineData("- client: a\n  within: 3s", "a step has one key; begin a new step, or write 'within' inside: client: {…, within: …}")]
    [InlineData("- client: {run: a, fails: true, exit: 3}", "exit and fails are both given")]
    [InlineData("- link: {from: client, to: server}", "nothing is wrong with it; expected at least one of delay, jitter")]
    [InlineData("- link: {from: client, to: client, down: true}", "from and to are the same machine")]
    [InlineData("- link: {loss: 500%}", "is not a percentage")]
    [InlineData("- link: {delay: 2h}", "The delay of a link must be 0 to 10 minutes")]
    [InlineData("- wait for: {machine: server}", "wait for: expected one of unit, port")]
    [InlineData("- wait for: {machine: server, port: 1, unit: a}", "are both given; keep one")]
    [InlineData("- wait for: server", "wait for: expected a mapping of machine, unit")]
    [InlineData("- partition: halvs", "did you mean 'halves'?")]
    [InlineData("- partition: {kind: one, side: all}", "partition: one takes one machine")]
    [InlineData("- disk: {machine: server, fault: slow}", "a rate belongs to the fault slow")]
    [InlineData("- clock: {machine: server}", "clock: expected one of set, jump, skew")]
    [InlineData("- copy in: {machine: server, from: ../secret, to: /x}", "copy in.from: '../secret' is not a path below the folder")]
    [InlineData("- copy in: {machine: server, from: /etc/passwd, to: /x}", "is not a path below the folder")]
    [InlineData("- screenshot:", "screenshot.machine: the value is missing, as in: machine: server")]
    [InlineData("- pase here", "is no step")]
    [InlineData("- [a]", "expected a step")]
    [InlineData("{}", "'a test' has no steps")]
    public void A_mistake_is_told_with_its_place_and_what_was_expected(string yaml, string told) => Assert.Contains(told, Told(yaml));

    [Fact]
    public void Names_that_are_words_of_steps_are_refused_for_machines()
    {
        Assert.All(["start", "power cut", "breakpoint", "all", "host"], name => Assert.NotNull(StepVerbs.Reserved(name)));
        Assert.Null(StepVerbs.Reserved("server"));
    }

    [Fact]
    public void Partitions_follow_the_order_of_the_machines_or_the_seed()
    {
        IEnumerable<string> Cuts(string yaml, ulong seed = 1) =>
            One<PartitionStep>(yaml).Cuts(s_machines, seed).Select(cut => $"{cut.From}-{cut.To}").Order(StringComparer.Ordinal);

        Assert.Equal(8, Cuts("- partition: halves").Count());
        Assert.DoesNotContain("server-client", Cuts("- partition: halves"));
        Assert.Equal(["client-server", "fourth-server", "server-client", "server-fourth", "server-third", "third-server"],
            Cuts("- partition: {kind: one, side: server}"));
        Assert.Equal(["server-client", "server-fourth", "server-third"], Cuts("- partition: {kind: one-way, side: server}"));
        Assert.Equal(Cuts("- partition: random", 7), Cuts("- partition: random", 7));
        Assert.DoesNotContain(Cuts("- partition: {kind: bridge, side: third}"), cut => cut.Contains("third"));
    }

    [Fact]
    public void A_result_is_compared_with_what_was_expected()
    {
        static string? Problem(string step, int code, string output) =>
            One<CommandStep>(step).Problem(new CommandResult(code, output, "", false, TimeSpan.Zero));

        Assert.Null(Problem("- server: a", 0, ""));
        Assert.Equal("exit code 127 (no such command in the guest), expected 0", Problem("- server: a", 127, ""));
        Assert.Equal("exit code 0, expected a failure", Problem("- server: {run: a, fails: true}", 0, ""));
        Assert.Null(Problem("- server: {run: a, fails: true}", 4, ""));
        Assert.Equal("exit code 4, expected 3", Problem("- server: {run: a, exit: 3}", 4, ""));
        Assert.Equal("the output does not have 'yes'", Problem("- server: {run: a, prints: yes}", 0, "no"));
        Assert.Equal("the output has 'no', which was not expected", Problem("- server: {run: a, not prints: no}", 0, "no"));
    }

    [Fact]
    public void What_is_copied_in_lies_below_the_folder_even_behind_links()
    {
        string folder = Directory.CreateTempSubdirectory("virtigo-steps-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "page.html"), "hi");
            File.CreateSymbolicLink(Path.Combine(folder, "out"), "/etc");
            File.CreateSymbolicLink(Path.Combine(folder, "in"), "page.html");
            string Source(string from) => One<CopyInStep>($"- copy in: {{machine: server, from: {from}, to: /x}}").Source(folder);

            Assert.Equal(Path.Combine(folder, "page.html"), Source("in"));
            Assert.Contains("leads out of", Assert.Throws<StepFailedException>(() => Source("out/hostname")).Message);
            Assert.Contains("there is no 'missing'", Assert.Throws<StepFailedException>(() => Source("missing")).Message);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void The_schema_of_steps_is_json()
    {
        using var text = new MemoryStream();
        using (var schema = new Utf8JsonWriter(text))
        {
            schema.WriteStartObject();
            StepReference.WriteSchema(schema);
            schema.WriteEndObject();
        }

        using JsonDocument read = JsonDocument.Parse(text.ToArray());
        JsonElement verbs = read.RootElement.GetProperty("items").GetProperty("oneOf")[1].GetProperty("properties");
        Assert.All(StepVerbs.All, verb => verbs.GetProperty(verb.Name));
    }

    [Fact]
    public void Any_text_is_steps_or_a_told_mistake()
    {
        Gen<string> piece = Gen.OneOf(Golden.Pieces("- ", "server", "client", ": ", "{", "}", "run", "within", "link", "wait for", "partition", "5%", "200ms", "\n",
            "  ", ",", "[", "]", "-", "copy in", "from", "../x", "disk", "keys", "pause here", "'", "\0"), Gen.String[0, 4]);
        piece.Array[0, 40].Select(string.Concat).Sample(
            yaml =>
            {
                try
                {
                    var problems = new SpecProblems("shop.yml");
                    if (YamlTree.Read("- x\n" + yaml, problems) is { } tree)
                    {
                        StepReader.Read(tree, "a test", s_machines, problems);
                    }

                    problems.ThrowIfAny("");
                    return false;
                }
                catch (VirtigoException told)
                {
                    return told.Kind == FailureKind.Usage;
                }
            },
            iter: 3000);
    }

    [Fact]
    public void A_duration_reads_back_as_it_is_shown() =>
        Gen.Int[0, 604_800_000].Sample(milliseconds =>
            Quantities.Duration(Quantities.Format(TimeSpan.FromMilliseconds(milliseconds))) == TimeSpan.FromMilliseconds(milliseconds));

    [Theory]
    [InlineData("200ms", 0.2)]
    [InlineData("1.5 s", 1.5)]
    [InlineData("2m", 120.0)]
    [InlineData("1h", 3600.0)]
    [InlineData("-1s", null)]
    [InlineData("8d", null)]
    [InlineData("5", null)]
    [InlineData("s", null)]
    [InlineData("1e3s", null)]
    public void Durations_have_units_and_bounds(string text, double? seconds) =>
        Assert.Equal(seconds, Quantities.Duration(text)?.TotalSeconds);

    [Theory]
    [InlineData("1MB/s", 1_000_000L)]
    [InlineData("8kbit/s", 1000L)]
    [InlineData("0B/s", null)]
    [InlineData("1M/s", null)]
    public void Rates_have_units_of_a_thousand(string text, long? bytes) => Assert.Equal(bytes, Quantities.Rate(text));

    [Fact]
    public void Dates_are_utc() =>
        Assert.Equal("2030-01-01T12:00:00Z", Quantities.Instant("2030-01-01T12:00:00Z")!.Value.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
}
