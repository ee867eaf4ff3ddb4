using Virtigo.Appliances;
using Virtigo.Hypervisors.Uml;
using Virtigo.Images;
using Virtigo.Machines;
using Virtigo.Profiles;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>The profile of guests of User-Mode Linux, in a copy of the installed image that runs there.</summary>
public sealed class ProfileUmlTests(Lab lab)
{
    private static readonly ProfileOptions s_look = new() { ClockTime = TimeSpan.FromSeconds(2), Streams = false, MachineName = "web" };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Its_rows_are_looked_at_applied_and_taken_back_and_those_of_other_guests_are_said_not_to_apply()
    {
        StoredImage image = await lab.Golden;
        using IDisposable place = await lab.PlaceAsync();
        await using ImageRun machine = await ImageRun.StartAsync(lab.Paths, new UmlHypervisor(lab.Paths), image, new RunOptions(), Cancel);
        var profile = new GuestProfile(machine.ExecuteAsync);
        await ShellAsync(machine, "systemctl is-system-running --wait; systemctl disable --now fstrim.timer 2>&1; date -s '-100 seconds'");

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
        Assert.Equal("enabled", await ShellAsync(machine, "systemctl is-enabled fstrim.timer"));

        Assert.Equal(("discard", null), ((await profile.RevertAsync(Cancel)).Steps is [var back] ? (back.Setting, back.Left) : ("", "")));
        Assert.Equal("disabled", await ShellAsync(machine, "systemctl is-enabled fstrim.timer"));
    }

    private static ProfileFinding Of(string setting, ProfileReport report) => Assert.Single(report.Findings, finding => finding.Setting == setting);

    private static async Task<string> ShellAsync(ImageRun machine, string command) =>
        (await machine.ExecuteAsync(command, new CommandOptions(), Cancel)).Output.TrimEnd();
}
