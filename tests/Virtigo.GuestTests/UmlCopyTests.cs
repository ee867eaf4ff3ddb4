using Virtigo.Appliances;
using Virtigo.Hypervisors.Uml;
using Virtigo.Images;
using Virtigo.Machines;
using Virtigo.Profiles;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>A copy of the installed image that runs in User-Mode Linux, started once for these tests.</summary>
public sealed class UmlCopy(Lab lab) : IAsyncLifetime
{
    private IDisposable? _place;
    private ImageRun? _run;

    /// <summary>The machine.</summary>
    public ImageRun Machine => _run ?? throw new InvalidOperationException("The machine was not started.");

    public async ValueTask InitializeAsync()
    {
        StoredImage image = await lab.Golden;
        _place = await lab.PlaceAsync();
        _run = await ImageRun.StartAsync(lab.Paths, new UmlHypervisor(lab.Paths), image, new RunOptions(), TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await (_run?.DisposeAsync() ?? ValueTask.CompletedTask);
        _place?.Dispose();
    }
}

/// <summary>What <c>virtigo run</c> and <c>virtigo profile</c> find in a guest of User-Mode Linux.</summary>
public sealed class UmlCopyTests(UmlCopy copy) : IClassFixture<UmlCopy>
{
    private static readonly ProfileOptions s_look = new() { ClockTime = TimeSpan.FromSeconds(2), Streams = false, MachineName = "web" };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Commands_run_there_with_all_that_they_are_given()
    {
        Assert.Equal((0, "uml\n"), await copy.Machine.ExecuteAsync("/usr/bin/systemd-detect-virt", [], Cancel));
        string longest = string.Concat(Enumerable.Repeat("# As long as no terminal holds.\n", 2000));
        Assert.Equal((3, "all of it\n"), await copy.Machine.ExecuteAsync("/bin/sh", ["-c", longest + "echo 'all of it'; exit 3"], Cancel));
        Assert.Equal((0, "web\n"), await copy.Machine.ExecuteAsync("/usr/bin/hostname", [], Cancel));
    }

    [Fact]
    public async Task The_profiles_rows_are_looked_at_applied_and_taken_back_and_those_of_other_guests_are_said_not_to_apply()
    {
        var profile = new GuestProfile(copy.Machine.ExecuteAsync);
        await ShellAsync("systemctl is-system-running --wait; systemctl disable --now fstrim.timer 2>&1; date -s '-100 seconds'");

        ProfileReport report = await profile.CheckAsync(s_look, Cancel);
        foreach (ProfileFinding finding in report.Findings)
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"{finding.Verdict} {finding.Setting}: {finding.Text}");
        }

        Assert.Equal(GuestKind.Uml, report.Kind);
        Assert.Equal(GuestProfile.NotApplicableTo(GuestKind.Uml).Select(setting => setting.Name),
            report.Findings.Where(finding => finding.Verdict == FindingVerdict.NotApplicable).Select(finding => finding.Setting));
        Assert.Equal(("ttyS0, tty0", FindingVerdict.Ok), (Of("console", report).Text, Of("console", report).Verdict));
        Assert.Equal((FindingVerdict.Ok, FindingVerdict.Advice), (Of("entropy", report).Verdict, Of("ntp", report).Verdict));
        Assert.Equal(FindingVerdict.Problem, Of("clock", report).Verdict);
        Assert.InRange(Of("clock", report).Number!.Value, -105, -95);
        Assert.StartsWith("not measured: that takes a second machine", Of("network", report).Text, StringComparison.Ordinal);
        Assert.Equal((FindingVerdict.Advice, "the disk takes discards, but fstrim.timer is disabled"), (Of("discard", report).Verdict, Of("discard", report).Text));

        ProfileOutcome applied = await profile.ApplyAsync(["clock", "discard", "balloon"], s_look, Cancel);
        Assert.Equal(["the clock", "fstrim.timer"], applied.Steps.Select(step => step.Target));
        Assert.Equal(FindingVerdict.NotApplicable, Of("balloon", applied.Report!).Verdict);
        Assert.Equal(FindingVerdict.Ok, Of("clock", await profile.CheckAsync(s_look, Cancel)).Verdict);
        Assert.Equal("enabled", await ShellAsync("systemctl is-enabled fstrim.timer"));

        Assert.Equal(("discard", null), ((await profile.RevertAsync(Cancel)).Steps is [var back] ? (back.Setting, back.Left) : ("", "")));
        Assert.Equal("disabled", await ShellAsync("systemctl is-enabled fstrim.timer"));
    }

    private static ProfileFinding Of(string setting, ProfileReport report) => Assert.Single(report.Findings, finding => finding.Setting == setting);

    private async Task<string> ShellAsync(string command) =>
        (await copy.Machine.ExecuteAsync(command, new CommandOptions(), Cancel)).Output.TrimEnd();
}
