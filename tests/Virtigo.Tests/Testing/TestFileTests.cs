using CsCheck;
using Virtigo.Environments.Steps;
using Virtigo.Testing;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Testing;

public sealed class TestFileTests
{
    private const string Shop = """
        machines:
          server: { packages: [nginx] }
          client: { packages: [curl] }
        ready:
          - server: systemctl is-active --wait nginx
        tests:
          serves its page:
            - client: curl -sf http://server/ | grep -q Welcome
          comes back after a power cut:
            - power cut: server
            - start: server
            - client: { run: curl -sf http://server/, within: 60s }
          is slow but correct on a bad link:
            - link: { from: client, to: server, delay: 200ms, loss: 5% }
            - client: curl -sf --max-time 30 http://server/

        """;

    private static string Told(string yaml) => Assert.Throws<VirtigoException>(() => TestFile.Parse(yaml, "shop.yml")).Message;

    private static TestFile With(string tests) => TestFile.Parse($"machines: {{server: {{}}, client: {{}}}}\n{tests}", "shop.yml");

    [Fact]
    public void The_example_is_read_in_order()
    {
        TestFile file = TestFile.Parse(Shop, "shop.yml");
        Assert.Equal(["server", "client"], file.Machines);
        Assert.Equal(["serves its page", "comes back after a power cut", "is slow but correct on a bad link"], file.Tests.Select(test => test.Name));
        Assert.Equal([1, 3, 2], file.Tests.Select(test => test.StepCount));
        Assert.Equal(12, file.Tests[1].Steps[2].Place.Line);
        Assert.Equal(TimeSpan.FromMinutes(10), file.Tests[0].Limit);
    }

    [Fact]
    public void A_test_may_say_how_it_is_run()
    {
        TestFile file = With(
            """
            limit: 2m
            total limit: 1h
            seed: 7
            allow console: segfault
            tests:
              one:
                steps: [server: a]
                limit: 30m
                allow console: [Out of memory]
                quarantine: {reason: bug 7, until: 2030-01-31}
                artifacts: ["server:/var/log"]
              two: [server: b]
            """);
        Assert.Equal((TimeSpan.FromHours(1), 7UL), (file.TotalLimit, file.Seed));
        Assert.Equal([TimeSpan.FromMinutes(30), TimeSpan.FromMinutes(2)], file.Tests.Select(test => test.Limit));
        Assert.Equal(["segfault", "Out of memory"], file.Tests[0].AllowedConsole);
        Assert.Equal(new TestQuarantine("bug 7", new DateOnly(2030, 1, 31)), file.Tests[0].Quarantine);
        Assert.Equal(["server:/var/log"], file.Tests[0].Artifacts);
    }

    [Theory]
    [InlineData("tests: {a: [server: b]}", "shop.yml:1:1: there are no machines")]
    [InlineData("machines: {server: {}}", "there are no tests")]
    [InlineData("machines: {server: {}}\ntest: {a: [server: b]}", "shop.yml:2:1: 'test' is no key of a test file; did you mean 'tests'?")]
    [InlineData("machines: {start: {}}\ntests: {a: [start: b]}", "machines: 'start' is a word that steps begin with; give the machine another name")]
    [InlineData("machines: {server: {}}\ntests: {a: []}", "'a' has no steps")]
    [InlineData("machines: {server: {}}\ntests: {a: {limit: 3s}}", "'a' has no steps")]
    [InlineData("machines: {server: {}}\ntests: {a: {steps: [server: b], limt: 3s}}", "did you mean 'limit'?")]
    [InlineData("machines: {server: {}}\ntests: {a: {steps: [server: b], quarantine: bug 7}}", "a reason and a last day are needed")]
    [InlineData("machines: {server: {}}\ntests: {a: {steps: [server: b], quarantine: {until: 2030-01-31}}}", "a reason and a last day are needed")]
    [InlineData("machines: {server: {}}\ntests: {a: {steps: [server: b], quarantine: {reason: x, until: soon}}}", "is not a date")]
    [InlineData("machines: {server: {}}\ntests: {a: {steps: [server: b], allow console: \"(\"}}", "is not a regular expression")]
    [InlineData("machines: {server: {}}\ntests: {a: {steps: [server: b], artifacts: [sever:/x]}}", "'sever' is no machine of this environment; did you mean 'server'?")]
    [InlineData("machines: {server: {}}\ntests: {\"\": [server: b]}", "is no name for a test")]
    public void A_mistake_is_told_with_its_place(string yaml, string told) => Assert.Contains(told, Told(yaml));

    [Fact]
    public void Every_example_of_the_table_is_read()
    {
        Assert.All(TestKeys.OfTest.Where(key => key.Key != "steps"), key => With($"tests:\n  one:\n    steps: [server: a]\n    {key.Example}\n"));
        Assert.All(TestKeys.OfFile.Where(key => key.Key != "tests"), key => With($"tests: {{one: [server: a]}}\n{key.Example}\n"));
        With(TestKeys.OfFile[0].Example);
    }

    [Fact]
    public void Any_text_is_a_test_file_or_a_told_mistake()
    {
        Gen<string> piece = Gen.OneOf(Golden.Pieces("tests", "machines", "server", ": ", "\n", "  ", "- ", "{", "}", "[", "]", "limit", "10m", "steps", "quarantine",
            "reason", "until", "2030-01-01", "allow console", "(", "artifacts", "server:/x", ",", "'"), Gen.String[0, 4]);
        piece.Array[0, 40].Select(parts => "machines: {server: {}}\n" + string.Concat(parts)).Sample(
            yaml =>
            {
                try
                {
                    TestFile.Parse(yaml, "shop.yml");
                    return true;
                }
                catch (VirtigoException told)
                {
                    return told.Kind == FailureKind.Usage && told.Message.StartsWith("shop.yml:", StringComparison.Ordinal);
                }
            },
            iter: 3000);
    }

    [Fact]
    public void A_step_keeps_its_place_for_reports() =>
        Assert.Equal(new StepPlace("shop.yml", 8, 7), TestFile.Parse(Shop, "shop.yml").Tests[0].Steps[0].Place);
}
