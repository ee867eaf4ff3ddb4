using Virtigo.Appliances;
using Virtigo.Environments.Steps;
using Virtigo.Machines;
using Virtigo.Tests.Testing;
using Xunit;

namespace Virtigo.Tests.Environments;

public sealed class StepRunTests : IDisposable
{
    private static readonly string[] s_machines = ["server", "client"];
    private readonly string _folder = Directory.CreateTempSubdirectory("virtigo-steps-").FullName;
    private readonly List<string> _done = [];
    private StepContext? _context;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task<FakeTarget> RunAsync(string yaml, Func<string, CommandOptions, CancellationToken, Task<CommandResult>>? answer = null, string? artifacts = null)
    {
        var problems = new SpecProblems("shop.yml");
        IReadOnlyList<Step> steps = StepReader.Read(YamlTree.Read(yaml, problems)!, "a test", s_machines, problems);
        problems.ThrowIfAny("");
        var target = new FakeTarget(s_machines)
        {
            Machines = name => answer is null ? new FakeMachine(name, _done) : new FakeMachine(name, _done) { Answer = answer },
        };
        _context = new StepContext { Target = target, BaseFolder = _folder, ArtifactsFolder = artifacts };
        foreach (Step step in steps)
        {
            await step.RunAsync(_context, TestContext.Current.CancellationToken);
        }

        return target;
    }

    [Fact]
    public async Task A_command_is_run_as_it_was_written()
    {
        CommandOptions? seen = null;
        await RunAsync("- server: {run: cat, user: www-data, directory: /srv, env: {A: b}, input: hi, prints: ok}", (_, options, _) =>
        {
            seen = options;
            return Task.FromResult(FakeMachine.Result(0, "ok\n"));
        });
        Assert.Equal(("www-data", "/srv", "b", "hi"),
            (seen!.User, seen.WorkingDirectory, seen.Environment["A"], System.Text.Encoding.UTF8.GetString(seen.Input.Span)));
        Assert.Equal("ran cat\n", _context!.Output.Output);
    }

    [Fact]
    public async Task A_command_that_is_not_as_expected_fails_the_step() =>
        Assert.Equal("server: exit code 3, expected 0.",
            (await Assert.ThrowsAsync<StepFailedException>(() => RunAsync("- server: a", (_, _, _) => Task.FromResult(FakeMachine.Result(3))))).Message);

    [Fact]
    public async Task Within_a_time_a_command_is_tried_until_it_is_as_expected_and_its_last_output_is_kept()
    {
        int tries = 0;
        await RunAsync("- server: {run: a, within: 10s, prints: up}", (_, _, _) => Task.FromResult(FakeMachine.Result(0, ++tries == 3 ? "up" : "down")));
        Assert.Equal(3, tries);
        Assert.Equal("ran a\n", _context!.Output.Output);
    }

    [Fact]
    public async Task When_the_time_is_over_the_last_attempt_is_told_and_one_that_hangs_is_ended()
    {
        StepFailedException wrong = await Assert.ThrowsAsync<StepFailedException>(() =>
            RunAsync("- server: {run: a, within: 300ms}", (_, _, _) => Task.FromResult(FakeMachine.Result(7))));
        Assert.Matches(@"^server: not within 300ms \(.*s passed\): exit code 7, expected 0, in the last of \d attempts\.$", wrong.Message);

        StepFailedException hung = await Assert.ThrowsAsync<StepFailedException>(() => RunAsync("- server: {run: a, within: 100ms}", async (_, _, token) =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return FakeMachine.Result(0);
        }));
        Assert.Contains("it did not end once", hung.Message);
    }

    [Fact]
    public async Task Every_other_step_does_what_it_says()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "page"), "hi", TestContext.Current.CancellationToken);
        FakeTarget target = await RunAsync(
            """
            - power cut: server
            - start: server
            - wait for: {machine: server, unit: nginx, within: 5s}
            - wait for: {machine: server, port: 80}
            - link: {from: client, to: server, loss: 5%, both ways: true}
            - partition: {kind: one, side: server}
            - heal: all
            - disk: {machine: server, fault: full, disk: 1}
            - clock: {machine: server, jump: -30m}
            - clock: {machine: server, set: 2030-01-01}
            - clock: {machine: server, skew: 200ppm}
            - copy in: {machine: server, from: page, to: /srv/page}
            - copy out: {machine: client, from: /etc/hostname}
            - screenshot: client
            - keys: {machine: client, press: [alt-f2, ret]}
            - keys: {machine: client, type: hello}
            - sysrq: {machine: client, key: s}
            - pause here
            """,
            artifacts: Path.Combine(_folder, "out"));
        Assert.Equal(
            [
                "server: PowerCut", "server: Start", "server: wait Unit nginx0 5", "server: wait Port 80 60", "server: disk 1 Full", "server: jump -30",
                "server: clock 2030", "server: skew 200", "server: in page /srv/page", $"client: out /etc/hostname {_folder}/out/client/hostname",
                "client: press alt-f2", "client: press ret", "client: type hello", "client: sysrq s",
            ],
            _done);
        Assert.Equal(["fault client-server", "fault server-client", "partition 2", "partition 0", "clear"], target.Done);
        Assert.True(File.Exists(Path.Combine(_folder, "out", "client", "screen-line-14.png")));
    }

    [Fact]
    public async Task Without_artifacts_nothing_is_copied_out()
    {
        await RunAsync("- copy out: {machine: client, from: /etc/hostname}\n- screenshot: client");
        Assert.Empty(_done);
    }
}
