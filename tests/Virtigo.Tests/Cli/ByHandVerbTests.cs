using System.Text.Json;
using Virtigo.Environments;
using Virtigo.Tests.Environments;
using Virtigo.Tests.Machines;
using Virtigo.Tests.Testing;
using Xunit;

namespace Virtigo.Tests.Cli;

/// <summary>The verbs for environments that are up, on one whose machine is the program that runs in guests, run here.</summary>
public sealed class ByHandVerbTests : IAsyncLifetime
{
    private readonly CommandRun _command = new();
    private readonly FakeKept _target = new();
    private readonly List<string> _done = [];
    private KeptPlace _place = null!;
    private ControlServer _server = null!;
    private RealGuestSide _guest = null!;
    private string _guestFolder = "";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _guest = await RealGuestSide.StartAsync(Token);
        _target.Starts = _guest.Shell.StartAsync;
        _target.Target = new FakeTarget(FakeKept.Machine) { Machines = name => new FakeMachine(name, _done) };
        _place = await new RunningEnvironments(_command.Host.Paths).ClaimAsync("shop", exact: true, Token);
        _server = new ControlServer(KeptPlace.Socket(_place.Folder), _target, TimeProvider.System);
        await _place.PublishAsync(new KeptInfo("shop", "/shop.yml", 1, DateTimeOffset.UnixEpoch, [FakeKept.Machine]), Token);
        _guestFolder = Path.GetDirectoryName(_command.File("guest/there", "there"))!;
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _place.DisposeAsync();
        await _guest.DisposeAsync();
        _command.Dispose();
    }

    [Fact]
    public async Task Cp_copies_in_out_and_across_and_says_nothing()
    {
        string page = _command.File("page", "hello");
        Assert.Equal(0, await _command.Run("cp", page, $"server:{_guestFolder}/"));
        Assert.Equal("hello", File.ReadAllText(Path.Combine(_guestFolder, "page")));
        Assert.Equal("", _command.Data.ToString() + _command.People);
        Assert.Equal(0, await _command.Run("cp", "-r", $"shop/server:{_guestFolder}/page", $"server:{_guestFolder}/there", Path.GetDirectoryName(page)! + "/", "--json"));
        using JsonDocument report = JsonDocument.Parse(_command.Data.ToString());
        Assert.Equal(2, report.RootElement.GetProperty("copies").GetArrayLength());
        Assert.Equal("there", File.ReadAllText(Path.Combine(Path.GetDirectoryName(page)!, "there")));
        Assert.Equal(0, await _command.Run("cp", $"server:{_guestFolder}/page", $"server:{_guestFolder}/renamed"));
        Assert.Equal("hello", File.ReadAllText(Path.Combine(_guestFolder, "renamed")));
    }

    [Fact]
    public async Task Cp_names_what_it_leaves_out()
    {
        Directory.CreateDirectory(Path.Combine(_guestFolder, "tree"));
        File.CreateSymbolicLink(Path.Combine(_guestFolder, "tree", "out"), "/etc/passwd");
        Assert.Equal(0, await _command.Run("cp", $"server:{_guestFolder}/tree", _command.File("host/x", "")[..^2]));
        Assert.Contains("out -> /etc/passwd", _command.People.ToString());
    }

    [Theory]
    [InlineData("sever:/x", "There is no machine sever in shop; did you mean server?")]
    [InlineData("server:x", "The path in shop/server:x is not absolute.")]
    [InlineData("other/server:/x", "There is no environment other")]
    [InlineData("./server:/x", "Neither ./server:/x nor ")]
    [InlineData("server:/no/such/file", "There is no file or folder shop/server:/no/such/file.")]
    public async Task Cp_tells_what_is_wrong_with_a_path(string source, string told)
    {
        Assert.Equal(2, await _command.Run("cp", source, _command.File("x", "x")));
        Assert.StartsWith("error: " + told, _command.People.ToString());
    }

    [Fact]
    public async Task Steps_come_from_arguments_and_files_and_the_report_has_each()
    {
        string file = _command.File("steps.yml", "- power cut: server\n- start: server\n");
        Assert.Equal(0, await _command.Run("step", "--file", file, "server: echo hi", "--on", "shop", "--json"));
        using JsonDocument report = JsonDocument.Parse(_command.Data.ToString());
        JsonElement[] steps = [.. report.RootElement.GetProperty("steps").EnumerateArray()];
        Assert.Equal([$"{file}:1:3", $"{file}:2:3", "step:1:1"], steps.Select(step => step.GetProperty("place").GetString()));
        Assert.Equal(("passed", "ran echo hi\n"), (steps[2].GetProperty("outcome").GetString(), steps[2].GetProperty("output").GetString()));
        Assert.Equal(["server: PowerCut", "server: Start"], _done);
    }

    [Fact]
    public async Task A_step_that_fails_is_exit_code_11_with_its_place()
    {
        _target.Target = new FakeTarget(FakeKept.Machine)
        {
            Machines = name => new FakeMachine(name, _done) { Answer = (_, _, _) => Task.FromResult(FakeMachine.Result(4)) },
        };
        Assert.Equal(11, await _command.Run("step", "heal: all", "server: false", "heal: all", "--json"));
        Assert.Equal("error: step 2:1:1: server: exit code 4, expected 0.\n", _command.People.ToString());
        using JsonDocument report = JsonDocument.Parse(_command.Data.ToString());
        Assert.Equal(["passed", "failed", "not run"], report.RootElement.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("outcome").GetString()));
    }

    [Fact]
    public async Task A_mistake_in_a_step_is_told_with_its_place_and_how_to_write_one()
    {
        Assert.Equal(2, await _command.Run("step", "heal:", "all"));
        Assert.StartsWith("error: step 1:1:", _command.People.ToString());
        Assert.Contains("hint: A step is one word for the shell, in quotes", _command.People.ToString());
        Assert.Equal(2, await _command.Run("step"));
        Assert.Equal(2, await _command.Run("step", "--file", "/no/such/file"));
    }

    [Fact]
    public async Task A_screenshot_goes_where_it_was_asked_for_whatever_its_name()
    {
        string picture = Path.Combine(_guestFolder, "now \"here\": {x}.png");
        Assert.Equal(0, await _command.Run("screenshot", "server", picture));
        Assert.Equal([1, 2, 3], File.ReadAllBytes(picture));
        Assert.Contains(picture, _command.People.ToString());
    }

    [Fact]
    public async Task Completion_offers_steps_machines_and_environments()
    {
        Assert.Equal(0, await _command.Run("[suggest:14]", "virtigo step h"));
        Assert.StartsWith("heal:\n", _command.Data.ToString());
        Assert.Equal(0, await _command.Run("[suggest:18]", "virtigo step --on s"));
        Assert.Contains("shop\n", _command.Data.ToString());
        Assert.Equal(0, await _command.Run("[suggest:13]", "virtigo cp se"));
        Assert.Contains("server:/\n", _command.Data.ToString());
    }
}
