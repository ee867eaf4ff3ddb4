using System.Diagnostics;
using System.Text;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Host;

public sealed class ChildProcessTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Killing_the_parent_outright_leaves_no_child()
    {
        using var limit = new CancellationTokenSource(Soon);
        (Process parent, int child) = await ParentProcess.StartAsync(limit.Token);
        Assert.True(IsRunning(child));

        parent.Kill();

        await UntilAsync(() => !IsRunning(child));
    }

    [Fact]
    public async Task A_child_whose_parent_died_before_it_could_be_tied_to_it_never_starts()
    {
        using Process orphan = Process.Start(new ProcessStartInfo("setpriv", ChildProcess.OwnedBy(parent: int.MaxValue, "echo", ["started"]))
        {
            RedirectStandardOutput = true,
        })!;

        Assert.Equal("", await orphan.StandardOutput.ReadToEndAsync(Token));
        await orphan.WaitForExitAsync(Token);
        Assert.Equal(125, orphan.ExitCode);
    }

    [Fact]
    public async Task Disposing_ends_the_child()
    {
        ChildProcess child = await ChildProcess.StartAsync(new ChildCommand("sleep", ["1000"]), Token);
        Assert.True(IsRunning(child.Id));

        await child.DisposeAsync();

        Assert.False(IsRunning(child.Id));
        Assert.Equal(128 + 9, await child.Exited);
    }

    [Fact]
    public async Task Of_a_child_that_says_too_much_the_end_is_kept()
    {
        await using ChildProcess child = await ChildProcess.StartAsync(
            new ChildCommand("sh", ["-c", "head -c 300000 /dev/zero | tr '\\0' x >&2; echo end >&2; exit 3"]), Token);

        Assert.Equal(3, await child.Exited.WaitAsync(Soon, Token));
        Assert.EndsWith("xxend\n", child.ErrorTail, StringComparison.Ordinal);
        Assert.Equal(ChildProcess.TailLimit, child.ErrorTail.Length);
    }

    [Fact]
    public async Task A_child_is_in_a_session_of_its_own()
    {
        string session = await Tool.RunAsync("sh", ["-c", "ps -o sid= -p $$; echo $$"], Token);

        string[] ids = session.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Equal(ids[1], ids[0]);
    }

    [Fact]
    public async Task A_tool_reads_its_input_and_its_output_is_returned()
    {
        byte[] input = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("größer\n", 100_000)));

        ToolResult result = await Tool.TryRunAsync(new ChildCommand("cat", []), input, Token);

        Assert.Equal(Encoding.UTF8.GetString(input), result.Output);
    }

    [Fact]
    public async Task A_tool_that_fails_shows_the_command_to_rerun()
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() =>
            Tool.RunAsync("sh", ["-c", "echo 'no such disk' >&2; exit 7"], Token));

        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains("exit code 7: no such disk", error.Message, StringComparison.Ordinal);
        Assert.Equal("Rerun: sh -c 'echo '\\''no such disk'\\'' >&2; exit 7'", error.Hint);
    }

    [Fact]
    public async Task A_program_that_is_missing_is_named_with_its_package()
    {
        Assert.Null(HostTools.Find("no-such-program-at-all"));
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => Tool.RunAsync("no-such-program-at-all", [], Token));

        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains("no-such-program-at-all is not installed", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelling_kills_the_tool()
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Token);
        Task<string> running = Tool.RunAsync("sleep", ["1000"], cancel.Token);
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(Soon, Token));
    }

    [Theory]
    [InlineData("plain-1.0_x/y:z", "plain-1.0_x/y:z")]
    [InlineData("", "''")]
    [InlineData("two words", "'two words'")]
    [InlineData("it's", "'it'\\''s'")]
    [InlineData("$HOME", "'$HOME'")]
    public void Words_are_quoted_only_when_they_need_it(string word, string quoted) => Assert.Equal(quoted, ShellQuote.Word(word));

    private static bool IsRunning(int id)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{id}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..][0] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static async Task UntilAsync(Func<bool> fulfilled)
    {
        using var limit = new CancellationTokenSource(Soon);
        while (!fulfilled())
        {
            await Task.Delay(20, limit.Token);
        }
    }
}
