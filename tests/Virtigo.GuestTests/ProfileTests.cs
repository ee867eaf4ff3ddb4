using System.Text.Json;
using Virtigo.Environments;
using Virtigo.Machines;
using Virtigo.Profiles;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>What a guest needs on its hypervisor, looked at, applied and taken back in a real Debian.</summary>
[Collection(EnvironmentGuests.Name)]
public sealed class ProfileTests(EnvironmentFixture fixture)
{
    private const string Untouched = "test ! -e /var/lib/virtigo/profile.json";

    /// <summary>A guest on a busy host may take longer to answer than a right clock may be off.</summary>
    private const double RightClock = 5;

    private static readonly ProfileOptions s_look = new() { ClockTime = TimeSpan.FromSeconds(2) };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_broken_is_found_mended_once_and_given_back()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine server = shop["server"];
        GuestProfile profile = ProfileOf(server);
        const string trim = "systemctl is-enabled fstrim.timer; systemctl is-active fstrim.timer; true";
        Assert.Equal("enabled\nactive", await server.RunAsync(trim, Cancel));
        Assert.Equal(FindingVerdict.Ok, Of("discard", await profile.CheckAsync(s_look, Cancel)).Verdict);

        await server.RunAsync("systemctl disable --now fstrim.timer", Cancel);
        await server.JumpClockAsync(TimeSpan.FromSeconds(-100), Cancel);
        ProfileReport broken = await profile.CheckAsync(s_look, Cancel);

        ProfileFinding clock = Of("clock", broken);
        Assert.Equal((GuestKind.Tcg, true), (broken.Kind, broken.HasProblem));
        Assert.Equal((FindingVerdict.Problem, "s", "virtigo profile apply MACHINE clock"), (clock.Verdict, clock.Unit, clock.Mend));
        Assert.InRange(clock.Number!.Value, -100 - RightClock, -100 + RightClock);
        Assert.Equal(FindingVerdict.Advice, Of("discard", broken).Verdict);
        Assert.Contains("disabled", Of("discard", broken).Text, StringComparison.Ordinal);

        ProfileOutcome applied = await profile.ApplyAsync(["clock", "discard"], s_look, Cancel);
        Assert.Equal(["the clock", "fstrim.timer"], applied.Steps.Select(step => step.Target));
        Assert.Equal("enabled\nactive", await server.RunAsync(trim, Cancel));
        await server.RunAsync("test -s /var/lib/virtigo/profile.json", Cancel);
        ProfileReport mended = await profile.CheckAsync(s_look, Cancel);
        Assert.Equal((FindingVerdict.Ok, FindingVerdict.Ok), (Of("clock", mended).Verdict, Of("discard", mended).Verdict));

        Assert.Empty((await profile.ApplyAsync(["clock", "discard"], s_look, Cancel)).Steps);

        ProfileStep back = Assert.Single((await profile.RevertAsync(Cancel)).Steps);
        Assert.Equal(("discard", null), (back.Setting, back.Left));
        Assert.Equal("disabled\ninactive", await server.RunAsync(trim, Cancel));
        await server.RunAsync(Untouched, Cancel);
        Assert.Empty((await profile.RevertAsync(Cancel)).Steps);
    }

    [Fact]
    public async Task A_kernel_argument_is_there_from_the_next_boot_and_gone_after_a_revert()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine server = shop["server"];
        GuestProfile profile = ProfileOf(server);
        const string menu = "sha256sum < /boot/grub/grub.cfg";
        await server.RunAsync("update-grub 2>&1", new CommandOptions { Limit = TimeSpan.FromMinutes(5) }, Cancel);
        string before = await server.RunAsync(menu, Cancel);

        ProfileStep step = Assert.Single((await profile.ApplyAsync(["kernel-arguments"], s_look, Cancel)).Steps);
        Assert.Equal("not there", step.Before);
        await server.RunAsync("grep -q 'linux.*no_timer_check' /boot/grub/grub.cfg", Cancel);
        Assert.Empty((await profile.ApplyAsync(["kernel-arguments"], s_look, Cancel)).Steps);

        Assert.Single((await profile.RevertAsync(Cancel)).Steps);
        Assert.Equal(before, await server.RunAsync(menu, Cancel));
        await server.RunAsync(Untouched, Cancel);
    }

    [Fact]
    public async Task Transfers_are_measured_and_leave_every_offload_as_it_was()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine server = shop["server"];
        string card = await server.RunAsync("ip -o -4 address show | grep 10.90.0.11 | cut -d ' ' -f 2", Cancel);
        string ask = string.Join('\n', ProfileTargets.Offloads.Select(offload => GuestMeter.Command("get", card, offload)));
        await server.RunAsync(GuestMeter.Command("set", card, "gro", "off"), Cancel);
        string before = await server.RunAsync(ask, Cancel);
        Assert.Contains("off", before, StringComparison.Ordinal);

        ProfileReport report = await ProfileOf(server).CheckAsync(s_look with
        {
            Peer = new ProfilePeer("client", "10.90.0.12", "10.90.0.11", shop["client"].ExecuteAsync),
            TransferBytes = 1 << 20,
        }, Cancel);

        ProfileFinding network = Of("network", report);
        Assert.True(network is { Unit: "Mbit/s", Number: > 0 }, network.Text);
        Assert.Contains("gro off:", Of("offloads", report).Text, StringComparison.Ordinal);
        Assert.Equal(before, await server.RunAsync(ask, Cancel));
    }

    [Fact]
    public async Task The_clock_is_right_after_a_fork_and_after_a_pause()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine client = shop["client"];
        Assert.InRange(await OffsetAsync(client), -RightClock, RightClock);

        await client.PauseAsync(Cancel);
        await Task.Delay(TimeSpan.FromSeconds(2 * RightClock), Cancel);
        await client.ResumeAsync(Cancel);

        Assert.InRange(await OffsetAsync(client), -RightClock, RightClock);
    }

    private static GuestProfile ProfileOf(Machine machine) => new(machine.ExecuteAsync);

    private static ProfileFinding Of(string setting, ProfileReport report) => Assert.Single(report.Findings, finding => finding.Setting == setting);

    private static async Task<double> OffsetAsync(Machine machine) => Of("clock", await ProfileOf(machine).CheckAsync(s_look, Cancel)).Number!.Value;
}

/// <summary>The same by the command.</summary>
[Collection(KeptMachines.Name)]
public sealed class ProfileCommandTests(Lab lab) : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-profile");
    private readonly string _name = $"profile-{Guid.NewGuid():N}"[..16];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Server => _name + "/server";

    public async ValueTask InitializeAsync()
    {
        await lab.Golden;
        File.Copy(lab.Example, Path.Combine(_folder.FullName, "web.yml"));
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "pair.yml"), EnvironmentFixture.Machines, Cancel);
        using IDisposable places = await lab.AllPlacesAsync();
        await EndsAsync(0, "up", "pair.yml", "--name", _name);
    }

    public async ValueTask DisposeAsync()
    {
        await lab.RunAsync("down", _name);
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_machine_is_looked_at_mended_and_given_back_by_its_name()
    {
        await EndsAsync(0, "shell", Server, "--", "systemctl mask --now fstrim.timer && date -s '100 seconds ago'");

        using (JsonDocument found = JsonDocument.Parse(await EndsAsync((int)FailureKind.Test, "doctor", Server, "--seconds", "2", "--with", "none", "--json")))
        {
            Assert.Equal((Server, "tcg", false), (Text(found.RootElement, "machine"), Text(found.RootElement, "guest"), found.RootElement.GetProperty("healthy").GetBoolean()));
            JsonElement clock = Of("clock", found);
            Assert.Equal(("problem", "s", $"virtigo profile apply {Server} clock"), (Text(clock, "verdict"), Text(clock, "unit"), Text(clock, "mend")));
            Assert.InRange(clock.GetProperty("number").GetDouble(), -105, -95);
            Assert.Contains("masked", Text(Of("discard", found), "text"), StringComparison.Ordinal);
            Assert.Equal("not here", Text(Of("network", found), "verdict"));
        }

        Assert.Contains("fstrim.timer: masked", await EndsAsync(0, "profile", "apply", Server, "clock", "discard", "--seconds", "2"), StringComparison.Ordinal);
        Assert.Equal("active\n", await EndsAsync(0, "shell", Server, "--", "systemctl is-active fstrim.timer"));
        Assert.Equal("", await EndsAsync(0, "profile", "apply", Server, "discard"));
        Assert.Contains("ok      clock", await EndsAsync(0, "profile", "check", Server, "--seconds", "2", "--with", "none"), StringComparison.Ordinal);

        Assert.Contains("-> masked", await EndsAsync(0, "profile", "revert", Server), StringComparison.Ordinal);
        Assert.Equal("masked\n", await EndsAsync(1, "shell", Server, "--", "systemctl is-enabled fstrim.timer"));
        CommandResult wrong = await lab.RunAsync("profile", "apply", Server, "discrad");
        Assert.Equal(((int)FailureKind.Usage, true), (wrong.ExitCode, wrong.People.Contains("did you mean discard?", StringComparison.Ordinal)));
    }

    private static JsonElement Of(string setting, JsonDocument report) =>
        Assert.Single(report.RootElement.GetProperty("findings").EnumerateArray(), finding => Text(finding, "setting") == setting);

    private static string? Text(JsonElement element, string key) => element.GetProperty(key).GetString();

    private async Task<string> EndsAsync(int code, params string[] arguments)
    {
        CommandResult result = await lab.RunAsync(_folder.FullName, arguments);
        Assert.True(result.ExitCode == code, $"virtigo {string.Join(' ', arguments)} ended with {result.ExitCode}:\n{result.Data}\n{result.People}");
        return result.Data;
    }
}
