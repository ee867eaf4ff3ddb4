using System.Diagnostics;
using System.Globalization;
using CsCheck;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.Tests.Machines;

/// <summary>A command that a waiting shell takes must not differ from one that a new shell takes.</summary>
public sealed class PreparedShellTests : IAsyncLifetime
{
    private RealGuestSide _guest = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _guest = await RealGuestSide.StartAsync(Token);

    public ValueTask DisposeAsync() => _guest.DisposeAsync();

    [Theory]
    [InlineData("echo out; echo err >&2; exit 7")]
    [InlineData("printf 'no newline at the end'")]
    [InlineData("echo one; echo \"two\\three  four\" # and a comment")]
    [InlineData("# nothing but a comment")]
    [InlineData("")]
    [InlineData("no-such-command")]
    [InlineData("echo 'open")]
    [InlineData("cat <<END; echo after")]
    [InlineData("; echo")]
    [InlineData("} && )")]
    [InlineData("set -e; false; echo not reached")]
    [InlineData("trap 'echo bye' EXIT; exit 4")]
    [InlineData("kill -TERM $$")]
    [InlineData("readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; pwd; env | sort | grep -v '^_='; umask; ulimit -n")]
    [InlineData("echo \"$0 $#\"; cat")]
    [InlineData("ps -o pid= -o pgid= -o sid= -p $$ | awk '{print ($1 == $2), ($2 == $3)}'")]
    public async Task It_runs_a_command_as_any_other(string command)
    {
        CommandResult plain = await RunAsync(command);
        CommandResult prepared = await RunPreparedAsync(command);

        Assert.Equal((plain.ExitCode, plain.Output, plain.Error), (prepared.ExitCode, prepared.Output, prepared.Error));
    }

    [Fact]
    public async Task It_is_there_for_one_command()
    {
        await _guest.Channel.PrepareShellAsync(Token);
        await _guest.Channel.PrepareShellAsync(Token);
        int waiting = Assert.Single(Children());

        Assert.Equal($"{waiting}\n", (await RunAsync("echo $$")).Output);
        Assert.NotEqual($"{waiting}\n", (await RunAsync("echo $$")).Output);
        Assert.Empty(Children());
    }

    [Fact]
    public async Task It_is_passed_over_for_what_it_is_not_made_for()
    {
        await _guest.Channel.PrepareShellAsync(Token);
        int waiting = Assert.Single(Children());
        string own = $"{waiting}\n";

        Assert.Equal("/tmp\n", (await RunAsync("pwd", new CommandOptions { WorkingDirectory = "/tmp" })).Output);
        Assert.Equal("x\n", (await RunAsync("echo $X", new CommandOptions { Environment = new Dictionary<string, string> { ["X"] = "x" } })).Output);
        Assert.Equal("input", (await RunAsync("cat", new CommandOptions { Input = "input"u8.ToArray() })).Output);
        Assert.Equal("one\ntwo\n", (await RunAsync("echo one\necho two")).Output);
        Assert.NotEqual(own, (await RunAsync("echo $$ #" + new string('x', 3000))).Output);
        Assert.Equal(own, (await RunAsync("echo $$")).Output);
    }

    [Fact]
    public async Task What_is_waited_for_meanwhile_holds_neither_it_nor_the_end_of_input_up()
    {
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await _guest.Channel.PrepareShellAsync(Token);
        await using GuestProcess cat = await _guest.Shell.StartAsync(["/bin/cat"], new CommandOptions(), Token);
        Task waiting = _guest.Shell.WaitAsync(new GuestCondition(GuestConditionKind.File, "/no/such/file"), _ => { }, done.Token);
        await _guest.Channel.PingAsync(Token);

        Assert.Equal("open\n", (await RunAsync("echo open")).Output);
        await cat.Input.DisposeAsync();
        Assert.Equal(0, await cat.Exited.WaitAsync(TimeSpan.FromSeconds(20), Token));

        await done.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task Nothing_of_what_was_started_is_left_when_the_host_is_gone()
    {
        await _guest.Channel.PrepareShellAsync(Token);
        await using GuestProcess sleeper = await _guest.Shell.StartAsync(["/bin/sleep", "1000"], new CommandOptions(), Token);
        Task waiting = _guest.Shell.WaitAsync(new GuestCondition(GuestConditionKind.File, "/no/such/file"), _ => { }, Token);
        await _guest.Channel.PingAsync(Token);
        Process[] children = [.. Children().Select(Process.GetProcessById)];
        Assert.Equal(3, children.Length);

        await _guest.DisposeAsync();

        await Assert.ThrowsAnyAsync<Exception>(() => waiting);
        foreach (Process child in children)
        {
            await child.WaitForExitAsync(Token).WaitAsync(TimeSpan.FromSeconds(20), Token);
            child.Dispose();
        }
    }

    [Fact]
    public async Task One_that_was_killed_is_missed_by_nobody()
    {
        await _guest.Channel.PrepareShellAsync(Token);
        using var shell = Process.GetProcessById(Assert.Single(Children()));
        shell.Kill();
        await shell.WaitForExitAsync(Token);

        Assert.Equal("well\n", (await RunAsync("echo well")).Output);
        await _guest.Channel.PrepareShellAsync(Token);
        Assert.Equal("well\n", (await RunAsync("echo well")).Output);
    }

    [Fact]
    public async Task Its_command_is_killed_when_nobody_waits_for_it_any_more()
    {
        await _guest.Channel.PrepareShellAsync(Token);
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _guest.Shell.ExecuteAsync("sleep 1000", new CommandOptions(), limit.Token));

        while (Children().Length > 0)
        {
            await _guest.Channel.PingAsync(Token);
        }
    }

    [Fact]
    public Task Any_text_is_said_by_it_as_it_was_given() => Gen.Char[' ', '\u2030'].Array[0, 60].Select(letters => new string(letters)).SampleAsync(async text =>
    {
        string quoted = "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
        CommandResult said = await RunPreparedAsync($"printf %s {quoted}");
        return said.Output == text && said.ExitCode == 0;
    }, iter: 40, threads: 1);

    private async Task<CommandResult> RunPreparedAsync(string command)
    {
        await _guest.Channel.PrepareShellAsync(Token);
        int waiting = Assert.Single(Children());
        CommandResult result = await RunAsync(command);
        Assert.DoesNotContain(waiting, Children());
        return result;
    }

    private Task<CommandResult> RunAsync(string command, CommandOptions? options = null) =>
        _guest.Shell.ExecuteAsync(command, options ?? new CommandOptions(), Token);

    private int[] Children() =>
    [
        .. File.ReadAllText($"/proc/{_guest.ProcessId}/task/{_guest.ProcessId}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(id => int.Parse(id, CultureInfo.InvariantCulture)),
    ];
}
