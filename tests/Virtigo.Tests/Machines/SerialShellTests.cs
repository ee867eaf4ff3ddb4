using System.Diagnostics;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.Tests.Machines;

/// <summary>A real shell on a real terminal, driven as a guest's serial console is.</summary>
public sealed class SerialShellTests
{
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(500);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Shells as they wait on consoles: with and without terminal control, with an editor of lines, with a short prompt.</summary>
    public static TheoryData<string> Consoles => ["/bin/sh -i", "setsid --wait /bin/sh -i", "bash --norc -i", "env PS1='> ' setsid --wait bash --norc -i"];

    [Theory]
    [MemberData(nameof(Consoles))]
    public async Task Commands_of_any_characters_and_length_run_and_tell_their_exit_code(string console)
    {
        await using var terminal = new Terminal(console);
        string text = "it's \\ \"$x\"\ttab é\x03 %s `id` " + new string('z', 5000);
        var options = new CommandOptions { Environment = new Dictionary<string, string> { ["V"] = text }, WorkingDirectory = "/usr" };

        CommandResult result = await terminal.Shell.ExecuteAsync("printf %s \"$V\"; pwd >&2; cat; exit 7", options, Token);

        Assert.Equal(7, result.ExitCode);
        Assert.Equal(text.Replace("\x03", "", StringComparison.Ordinal) + "/usr\n", result.Output);
        for (int code = 0; code < 256; code += 85)
        {
            CommandResult next = await terminal.Shell.ExecuteAsync(FormattableString.Invariant($"echo {code}; exit {code}"), new CommandOptions(), Token);
            Assert.Equal((code, FormattableString.Invariant($"{code}\n")), (next.ExitCode, next.Output));
        }
    }

    [Fact]
    public async Task A_command_reads_its_input_whatever_bytes_it_has_and_whether_or_not_it_wants_them()
    {
        await using var terminal = new Terminal("/bin/sh -i");
        byte[] input = [.. Enumerable.Range(0, 5000).Select(i => (byte)i)];

        CommandResult sum = await terminal.Shell.ExecuteAsync("sha256sum | cut -d ' ' -f 1", new CommandOptions { Input = input }, Token);
        CommandResult unread = await terminal.Shell.ExecuteAsync("true", new CommandOptions { Input = input }, Token);
        CommandResult none = await terminal.Shell.ExecuteAsync("cat", new CommandOptions(), Token);

        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(input)) + "\n", sum.Output);
        Assert.Equal((0, "", 0, ""), (unread.ExitCode, unread.Output, none.ExitCode, none.Output));
    }

    [Theory]
    [MemberData(nameof(Consoles))]
    public async Task A_command_that_is_given_up_is_killed_with_all_it_started_and_the_next_one_runs(string console)
    {
        await using var terminal = new Terminal(console);
        string mark = FormattableString.Invariant($"47{Random.Shared.Next(100_000, 999_999)}");
        await terminal.Shell.WaitAsync(Token);
        using var soon = new CancellationTokenSource(s_soon);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => terminal.Shell.ExecuteAsync(
            $"trap '' INT TERM QUIT HUP; (sleep {mark} & sleep {mark} & sh -c 'exec sleep {mark}') & while :; do sleep {mark}; done", new CommandOptions(), soon.Token));

        CommandResult left = await terminal.Shell.ExecuteAsync($"pgrep -f 'sleep [4]{mark[1..]}'", new CommandOptions(), Token);
        Assert.Equal((1, ""), (left.ExitCode, left.Output));
    }

    [Fact]
    public async Task A_command_that_killed_the_shell_that_started_it_is_killed_by_the_next()
    {
        await using var terminal = new Terminal("/bin/sh -i");
        string mark = FormattableString.Invariant($"48{Random.Shared.Next(100_000, 999_999)}");
        await terminal.Shell.WaitAsync(Token);
        using var soon = new CancellationTokenSource(s_soon);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => terminal.Shell.ExecuteAsync(
            $"kill -9 $(ps -o ppid= -p $PPID); sleep {mark}; true", new CommandOptions(), soon.Token));

        CommandResult left = await terminal.Shell.ExecuteAsync($"pgrep -f 'sleep [4]{mark[1..]}'", new CommandOptions(), Token);
        Assert.Equal((1, ""), (left.ExitCode, left.Output));
    }

    [Fact]
    public async Task What_a_command_leaves_in_the_background_runs_on()
    {
        await using var terminal = new Terminal("setsid --wait /bin/sh -i");
        string file = Path.GetTempFileName();

        await terminal.Shell.ExecuteAsync($"(sleep 0.5; echo done > {file}) >/dev/null 2>&1 &", new CommandOptions(), Token);

        CommandResult later = await terminal.Shell.ExecuteAsync($"sleep 1; cat {file}", new CommandOptions(), Token);
        Assert.Equal("done\n", later.Output);
        File.Delete(file);
    }

    [Fact]
    public async Task A_shell_that_a_command_took_away_is_told_to_be_lost_and_found_again_when_it_is_back()
    {
        await using var terminal = new Terminal("setsid --wait /bin/sh -i");
        await terminal.Shell.WaitAsync(Token);
        using var soon = new CancellationTokenSource(s_soon);

        VirtigoException lost = await Assert.ThrowsAsync<VirtigoException>(
            () => terminal.Shell.ExecuteAsync("p=$(ps -o ppid= -p $PPID); kill -STOP $p; (setsid sleep 12; kill -CONT $p) & sleep 60", new CommandOptions(), soon.Token));

        Assert.Equal(FailureKind.Guest, lost.Kind);
        Assert.Contains("does not answer any more", lost.Message, StringComparison.Ordinal);
        Assert.Contains("power", lost.Hint, StringComparison.Ordinal);
        Assert.Equal("ok\n", (await terminal.Shell.ExecuteAsync("echo ok", new CommandOptions(), Token)).Output);
    }

    [Fact]
    public async Task Marks_that_something_wrote_into_are_said_again()
    {
        await using var terminal = new Terminal("setsid --wait /bin/sh -i");
        await terminal.Shell.WaitAsync(Token);

        // The kernel's messages, far more than any kernel has.
        await terminal.Shell.ExecuteAsync("(for i in $(seq 400); do printf '[%d] kernel\\r\\n' $i; sleep 0.005; done) &", new CommandOptions(), Token);
        for (int code = 0; code < 20; code++)
        {
            CommandResult result = await terminal.Shell.ExecuteAsync(FormattableString.Invariant($"echo '<<{code}>>'; exit {code}"), new CommandOptions(), Token);
            Assert.Equal(code, result.ExitCode);
            Assert.Contains(FormattableString.Invariant($"<{code}>"), result.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Output_is_bounded_and_streams_are_refused()
    {
        await using var terminal = new Terminal("/bin/sh -i");
        long passed = 0;
        CommandResult result = await terminal.Shell.ExecuteAsync(
            "head -c 300000 /dev/zero | tr '\\0' x", new CommandOptions { OutputLimit = 1000, OnOutput = (bytes, _) => passed += bytes.Length }, Token);

        Assert.Equal((1000, true, 300_000), (result.Output.Length, result.Truncated, passed));
        VirtigoException refused = await Assert.ThrowsAsync<VirtigoException>(() => terminal.Shell.ConnectAsync("80", Token));
        Assert.Contains("agent", refused.Message, StringComparison.Ordinal);
        VirtigoException large = await Assert.ThrowsAsync<VirtigoException>(
            () => terminal.Shell.ExecuteAsync("cat", new CommandOptions { Input = new byte[200_000] }, Token));
        Assert.Equal(FailureKind.Usage, large.Kind);
    }

    private sealed class Terminal : IAsyncDisposable
    {
        private readonly Process _script;

        public Terminal(string console)
        {
            _script = Process.Start(new ProcessStartInfo("script", ["-qfc", console, "/dev/null"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            })!;
            Shell = new SerialShell(new TwoWayStream(_script.StandardOutput.BaseStream, _script.StandardInput.BaseStream), TimeProvider.System);
        }

        public SerialShell Shell { get; }

        public async ValueTask DisposeAsync()
        {
            _script.Kill(entireProcessTree: true);
            await Shell.DisposeAsync();
            await _script.WaitForExitAsync(CancellationToken.None);
            _script.Dispose();
        }
    }
}
