using Virtigo.Cli.Output;
using Virtigo.Testing;
using Xunit;

namespace Virtigo.Tests.Cli;

/// <summary>Tests under every hypervisor: what is printed, and the exit code.</summary>
public sealed class TestMatrixTests : IDisposable
{
    private readonly CommandRun _command = new();

    public void Dispose() => _command.Dispose();

    [Theory]
    [InlineData("qemu: passed; libvirt: passed", 0)]
    [InlineData("qemu: passed; libvirt: failed", 11)]
    [InlineData("qemu: lost; libvirt: failed", 11)]
    [InlineData("qemu: lost; libvirt: passed", 8)]
    public void A_failure_under_one_hypervisor_fails_the_run(string what, int code)
    {
        MatrixEntry[] entries =
        [
            .. what.Split("; ").Select(one => one.Split(": ")).Select(one => new MatrixEntry(one[0], Report(one[1]), null, null)),
            new("xen", null, "not usable here: this host is not the dom0 of a Xen", null),
        ];

        Assert.Equal(code, new TestMatrix("shop.yml", entries).ExitCode(flakyFails: false));
    }

    [Fact]
    public void One_report_has_all_tests_with_their_hypervisors_and_says_what_was_left_out()
    {
        TestReport report = new TestMatrix("shop.yml",
            [new("qemu", Report("passed"), null, null), new("xen", null, "no dom0", null), new("uml", Report("failed"), null, null)]).Report();

        Assert.Equal(["page (qemu)", "page (uml)"], report.Results.Select(result => result.Name));
        Assert.Equal("1 passed, 1 failed, 0 flaky, 0 quarantined", report.Summary);
        Assert.Equal(["hypervisor qemu=1 passed, 0 failed, 0 flaky, 0 quarantined", "hypervisor xen=no dom0", "hypervisor uml=0 passed, 1 failed, 0 flaky, 0 quarantined"],
            report.Properties.Select(property => $"{property.Key}={property.Value}"));
        Assert.Contains("page (uml)", report.ToJUnit(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_none_can_run_is_refused_with_all_reasons()
    {
        var matrix = new TestMatrix("shop.yml", [new("qemu", null, "not installed", null), new("xen", null, "no dom0", null)]);

        VirtigoException refusal = Assert.Throws<VirtigoException>(matrix.Report);
        Assert.Equal((FailureKind.Usage, "shop.yml can be run by no hypervisor here: qemu: not installed; xen: no dom0."), (refusal.Kind, refusal.Message));
    }

    [Fact]
    public void There_is_a_line_for_each_hypervisor_and_test()
    {
        string[] lines = [.. Rows(
            [new("qemu", Report("passed"), null, null), new("xen", null, "no dom0", null), new("uml", null, "no disk\nis left", FailureKind.Host)]).Select(row => string.Join(" | ", row))];

        Assert.Equal(["qemu | page | ok, 3.0 s", "xen |  | skipped: no dom0", "uml |  | FAILED: no disk; is left"], lines);
    }

    [Fact]
    public async Task What_is_every_hypervisor_is_not_one_and_what_there_is_not_cannot_be_named()
    {
        string file = _command.File("shop.yml", "machines: {server: debian}\ntests:\n  page: [server: a]\n");
        Assert.Equal(2, await _command.Run("test", file, "--matrix", "--hypervisor", "uml"));
        Assert.Contains("--matrix is every hypervisor, and --hypervisor uml is one.", _command.People.ToString());
        Assert.Equal(2, await _command.Run("test", file, "--hypervisor", "bochs"));
        Assert.Contains("bochs", _command.People.ToString());
    }

    [Fact]
    public async Task What_the_named_one_cannot_do_is_told_with_its_place_and_nothing_is_fetched()
    {
        string file = _command.File("shop.yml", "machines: {server: debian}\ntests:\n  page:\n    - keys: {machine: server, press: ret}\n");
        Assert.Equal(2, await _command.Run("test", file, "--hypervisor", "uml"));
        Assert.StartsWith($"error: {file}:4:7: 'keys: machine server, press ret' cannot be run by uml: no keys, since it has no keyboard", _command.People.ToString());
    }

    [Fact]
    public async Task Each_line_of_JSON_names_the_hypervisor_where_there_are_several()
    {
        var text = new StringWriter();
        await using (var display = new JsonTestDisplay(text, TimeProvider.System, "uml"))
        {
            display.Report(new TestEnded(Report("passed").Results[0]));
        }

        Assert.Contains("\"outcome\":\"passed\"", text.ToString(), StringComparison.Ordinal);
        Assert.Contains("\"hypervisor\":\"uml\"", text.ToString(), StringComparison.Ordinal);
    }

    private static IEnumerable<IReadOnlyList<string>> Rows(IReadOnlyList<MatrixEntry> entries) => new TestMatrix("shop.yml", entries).Rows();

    private static TestReport Report(string outcome)
    {
        TestFailure? failure = outcome == "passed" ? null : new TestFailure("it is broken") { OfMachine = outcome == "lost" };
        var attempt = new TestAttempt(1, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), [], failure);
        return new TestReport("shop.yml", DateTimeOffset.UnixEpoch, TimeSpan.FromSeconds(3), 7,
            [new Virtigo.Testing.TestResult("page", 3, 1, failure is null ? TestOutcome.Passed : TestOutcome.Failed, 7, [attempt])]);
    }
}
