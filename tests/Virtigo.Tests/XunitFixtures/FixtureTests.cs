using Virtigo.Appliances;
using Virtigo.Machines;
using Virtigo.Xunit;
using Xunit;

namespace Virtigo.Tests.XunitFixtures;

public sealed class FixtureTests
{
    [Fact]
    public async Task A_file_that_is_missing_is_named_with_its_whole_path()
    {
        var fixture = new Missing();

        var failure = await Assert.ThrowsAsync<VirtigoException>(async () => await fixture.InitializeAsync());

        Assert.Equal(FailureKind.Usage, failure.Kind);
        Assert.Contains(Path.Combine(AppContext.BaseDirectory, "not-here.yml"), failure.Message, StringComparison.Ordinal);
        await fixture.DisposeAsync();
    }

    [Fact]
    public void A_fixture_that_xUnit_did_not_make_says_so() =>
        Assert.Contains("let xUnit make it", Assert.Throws<InvalidOperationException>(() => new Missing().Ready).Message, StringComparison.Ordinal);

    [Fact]
    public async Task What_to_do_about_a_failure_is_in_its_message()
    {
        var cause = new VirtigoException(FailureKind.Host, "No QEMU here.", "Install it.") { ReportDirectory = "/somewhere" };

        var failure = await Assert.ThrowsAsync<VirtigoException>(() => ReadableFailure.OfAsync(() => Task.FromException<int>(cause)));

        Assert.Equal("No QEMU here.\nInstall it.\nEverything known about it is in /somewhere", failure.Message);
        Assert.Equal((FailureKind.Host, "Install it.", "/somewhere"), (failure.Kind, failure.Hint, failure.ReportDirectory));
        Assert.Same(cause, failure.InnerException);
    }

    [Fact]
    public void The_preparation_tells_its_stages_and_notes_but_not_every_step_between()
    {
        Assert.Equal("boot", DiagnosticProgress.Line(new StageStarted("boot")));
        Assert.Equal("boot took 61.5 s", DiagnosticProgress.Line(new StageFinished("boot", TimeSpan.FromSeconds(61.5))));
        Assert.Equal("Waiting.", DiagnosticProgress.Line(new BuildNote("Waiting.")));
        Assert.Null(DiagnosticProgress.Line(new StageProgress("boot", 0.5, "half")));
    }

    [Fact]
    public void A_failed_test_shows_each_machine_with_its_last_lines()
    {
        Assert.Equal("server runs; its console said last:\n  one\n  two", ConsoleReport.Of("server", MachineState.Running, "one\ntwo"));
        Assert.Equal("server is off; its console said nothing.", ConsoleReport.Of("server", MachineState.Off, ""));
    }

    private sealed class Missing() : EnvironmentFixture("not-here.yml");
}
