using System.Text.Json;
using Virtigo.Environments;
using Virtigo.Profiles;
using Virtigo.Tests.Environments;
using Virtigo.Tests.Machines;
using Xunit;

namespace Virtigo.Tests.Cli;

/// <summary><c>virtigo profile</c> and <c>virtigo doctor MACHINE</c>, on a machine whose commands are run by the program that runs in guests.</summary>
public sealed class ProfileVerbTests : IAsyncLifetime
{
    private readonly CommandRun _command = new();
    private readonly FakeKept _target = new();
    private KeptPlace _place = null!;
    private ControlServer _server = null!;
    private RealGuestSide _guest = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _guest = await RealGuestSide.StartAsync(Token);
        _target.Starts = _guest.Shell.StartAsync;
        _place = await new RunningEnvironments(_command.Host.Paths).ClaimAsync("shop", exact: true, Token);
        _server = new ControlServer(KeptPlace.Socket(_place.Folder), _target, TimeProvider.System);
        await _place.PublishAsync(new KeptInfo("shop", "/shop.yml", 1, DateTimeOffset.UnixEpoch, [FakeKept.Machine]), Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _place.DisposeAsync();
        await _guest.DisposeAsync();
        _command.Dispose();
    }

    [Theory]
    [InlineData("profile", "show")]
    [InlineData("profile", "check")]
    [InlineData("profile", "apply")]
    [InlineData("profile", "revert")]
    [InlineData("doctor")]
    public async Task Help_has_examples(params string[] verb)
    {
        Assert.Equal(0, await _command.Run([.. verb, "--help"]));
        Assert.Contains($"virtigo {string.Join(' ', verb)}", _command.Data.ToString(), StringComparison.Ordinal);
        Assert.Contains("Examples:", _command.Data.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Show_tells_each_setting_once_with_its_trap()
    {
        Assert.Equal(0, await _command.Run("profile", "show"));
        string shown = _command.Data.ToString();
        Assert.All(ProfileSetting.Names, name => Assert.Contains($"{name}: ", shown, StringComparison.Ordinal));
        Assert.Equal(0, await _command.Run("profile", "show", "uml"));
        Assert.DoesNotContain("balloon: Whether", _command.Data.ToString(), StringComparison.Ordinal);
        Assert.Contains("balloon: not applicable: only QEMU gives", _command.Data.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("kvm", GuestKind.Kvm)]
    [InlineData("xen-pv", GuestKind.XenPv)]
    public async Task Show_as_json_has_every_setting_whole(string word, GuestKind kind)
    {
        Assert.Equal(0, await _command.Run("profile", "show", word, "--json"));
        using JsonDocument report = JsonDocument.Parse(_command.Data.ToString());
        JsonElement[] settings = [.. report.RootElement.GetProperty("settings").EnumerateArray()];
        Assert.Equal(GuestProfile.SettingsOf(kind).Select(setting => setting.Name), settings.Select(setting => setting.GetProperty("name").GetString()));
        Assert.All(settings, setting => Assert.All(["what", "why", "read", "applied", "reverted", "atBuild"], key => Assert.NotEqual("", setting.GetProperty(key).GetString())));
        Assert.Equal(GuestProfile.NotApplicableTo(kind).Select(setting => setting.Name),
            report.RootElement.GetProperty("notApplicable").EnumerateArray().Select(setting => setting.GetProperty("name").GetString()));
        Assert.All(report.RootElement.GetProperty("notApplicable").EnumerateArray(), setting => Assert.NotEqual("", setting.GetProperty("why").GetString()));
    }

    [Theory]
    [InlineData("There is no profile 'kvn'; did you mean kvm?", "profile", "show", "kvn")]
    [InlineData("There is no machine sever in shop; did you mean server?", "profile", "check", "shop/sever")]
    [InlineData("There is no setting 'entropi'; did you mean entropy?", "profile", "apply", "server", "entropi")]
    [InlineData("client is no running machine on a network of server's.", "profile", "check", "server", "--with", "client")]
    [InlineData("A clock is compared for 1 to 3600 seconds.", "profile", "check", "server", "--seconds", "0")]
    [InlineData("A clock is compared for 1 to 3600 seconds.", "doctor", "server", "--seconds", "1e9")]
    public async Task What_cannot_be_is_refused(string told, params string[] line)
    {
        Assert.Equal(2, await _command.Run(line));
        Assert.StartsWith("error: " + told, _command.People.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("profile", "check")]
    [InlineData("profile", "apply")]
    [InlineData("profile", "revert")]
    [InlineData("doctor")]
    public async Task A_machine_that_does_not_exist_is_refused(params string[] verb)
    {
        Assert.Equal(2, await _command.Run([.. verb, "nowhere"]));
        Assert.StartsWith("error: There is no", _command.People.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("profile", "check", "server")]
    [InlineData("doctor", "server")]
    public async Task A_check_has_a_line_for_each_finding_and_its_exit_code_says_whether_something_does_harm(params string[] verb)
    {
        int code = await _command.Run([.. verb, "--seconds", "1", "--with", "none", "--json"]);
        using JsonDocument report = JsonDocument.Parse(_command.Data.ToString());
        Assert.Equal("server", report.RootElement.GetProperty("machine").GetString());
        JsonElement[] findings = [.. report.RootElement.GetProperty("findings").EnumerateArray()];
        Assert.Equal(findings.Any(finding => finding.GetProperty("verdict").GetString() == "problem") ? 11 : 0, code);
        JsonElement clock = findings.Single(finding => finding.GetProperty("setting").GetString() == "clock");
        // Its clock is this host's.
        Assert.Equal(("ok", "s"), (clock.GetProperty("verdict").GetString(), clock.GetProperty("unit").GetString()));
        Assert.InRange(Math.Abs(clock.GetProperty("number").GetDouble()), 0, clock.GetProperty("error").GetDouble() + 0.05);
        Assert.StartsWith("not measured", findings.Single(finding => finding.GetProperty("setting").GetString() == "network").GetProperty("text").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Completion_offers_hypervisors_machines_and_settings()
    {
        Assert.Equal(0, await _command.Run("[suggest:23]", "virtigo profile show xe"));
        Assert.Contains("xen-pvh\n", _command.Data.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await _command.Run("[suggest:24]", "virtigo profile check se"));
        Assert.Contains("server\n", _command.Data.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await _command.Run("[suggest:32]", "virtigo profile apply server ent"));
        Assert.Contains("entropy\n", _command.Data.ToString(), StringComparison.Ordinal);
    }
}
