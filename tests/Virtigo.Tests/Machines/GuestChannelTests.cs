using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.Tests.Machines;

public sealed class GuestChannelTests : IAsyncLifetime
{
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(20);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");
    private RealGuestSide _guest = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _guest = await RealGuestSide.StartAsync(Token);

    public async ValueTask DisposeAsync()
    {
        await _guest.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_command_has_its_output_error_exit_code_folder_and_environment()
    {
        CommandResult result = await RunAsync("pwd; echo \"$X\" >&2; exit 7", new CommandOptions
        {
            WorkingDirectory = _folder.FullName,
            Environment = new Dictionary<string, string> { ["X"] = "a=b c\nd" },
        });

        Assert.Equal((7, _folder.FullName + "\n", "a=b c\nd\n", false), (result.ExitCode, result.Output, result.Error, result.Truncated));
    }

    [Fact]
    public async Task Input_goes_through_whole_and_its_end_is_seen()
    {
        byte[] input = new byte[2_000_000];
        new Random(1).NextBytes(input);
        string expected = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(input));

        CommandResult fromMemory = await RunAsync("sha256sum", new CommandOptions { Input = input });
        CommandResult fromStream = await RunAsync("sha256sum", new CommandOptions { InputStream = new MemoryStream(input) });

        Assert.StartsWith(expected, fromMemory.Output, StringComparison.Ordinal);
        Assert.StartsWith(expected, fromStream.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_that_does_not_read_its_input_still_ends() =>
        Assert.Equal(3, (await RunAsync("exit 3", new CommandOptions { Input = new byte[3_000_000] })).ExitCode);

    [Fact]
    public async Task Output_beyond_its_limit_is_counted_out_but_still_passed_on()
    {
        long passed = 0;
        CommandResult result = await RunAsync("head -c 3000000 /dev/zero", new CommandOptions
        {
            OutputLimit = 1000,
            OnOutput = (bytes, isError) => passed += isError ? 0 : bytes.Length,
        });

        Assert.Equal((true, 1000, 3_000_000L), (result.Truncated, result.Output.Length, passed));
    }

    [Fact]
    public async Task A_flood_that_nobody_reads_holds_up_neither_other_commands_nor_memory()
    {
        await using GuestProcess flood = await _guest.Shell.StartAsync(["yes"], new CommandOptions(), Token);
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal("hi\n", (await RunAsync("echo hi", new CommandOptions())).Output);
        }

        Assert.InRange(_guest.Channel.Received, 1, GuestFrame.Window + 100_000);
    }

    [Fact]
    public async Task What_a_signal_ends_has_an_exit_code_above_128_even_right_after_the_start()
    {
        await using GuestProcess sleeper = await _guest.Shell.StartAsync(["sleep", "100"], new CommandOptions(), Token);
        await sleeper.SignalAsync(15, Token);

        Assert.Equal(143, await sleeper.Exited.WaitAsync(s_soon, Token));
    }

    [Fact]
    public async Task A_command_that_is_given_up_is_killed_with_what_it_started()
    {
        string mark = Path.Combine(_folder.FullName, "pid");
        using var cancel = new CancellationTokenSource();
        Task<CommandResult> running = _guest.Shell.ExecuteAsync($"sleep 1000 & echo $! > {mark}.new; mv {mark}.new {mark}; wait", new CommandOptions(), cancel.Token);
        await _guest.Shell.WaitAsync(new GuestCondition(GuestConditionKind.File, mark), _ => { }, Token).WaitAsync(s_soon, Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);

        string pid = (await File.ReadAllTextAsync(mark, Token)).Trim();
        await UntilAsync($"! kill -0 {pid}");
        await UntilAsync("true", () => _guest.Channel.Count <= 1);
    }

    [Fact]
    public async Task A_command_ends_although_something_it_left_behind_still_holds_its_output_and_that_lives_on()
    {
        string file = Path.Combine(_folder.FullName, "later");
        long start = Stopwatch.GetTimestamp();
        CommandResult result = await RunAsync($"(sleep 0.5; echo into nothing; touch {file}) & echo done", new CommandOptions());

        Assert.Equal("done\n", result.Output);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 0.45);
        await _guest.Shell.WaitAsync(new GuestCondition(GuestConditionKind.File, file), _ => { }, Token).WaitAsync(s_soon, Token);
    }

    [Fact]
    public async Task A_terminal_has_its_size_and_type_and_can_be_resized()
    {
        await using GuestProcess shell = await _guest.Shell.StartAsync(
            ["/bin/sh", "-c", "stty size; echo $TERM; read x; stty size"], new CommandOptions { Terminal = new TerminalOptions("vt100", 100, 30) }, Token);
        using var output = new StreamReader(shell.Output);
        Assert.Equal("30 100", await output.ReadLineAsync(Token));
        Assert.Equal("vt100", await output.ReadLineAsync(Token));
        await shell.ResizeAsync(90, 20, Token);
        await shell.Input.WriteAsync("\n"u8.ToArray(), Token);

        Assert.EndsWith("20 90\r\n", await output.ReadToEndAsync(Token), StringComparison.Ordinal);
        Assert.Equal(0, await shell.Exited.WaitAsync(s_soon, Token));
    }

    [Theory]
    [InlineData("/no/such/program", null, null, "cannot be executed")]
    [InlineData("true", "/no/such/folder", null, "cannot be entered")]
    [InlineData("true", null, "no-such-user", "no user")]
    public async Task What_cannot_be_started_says_why(string program, string? folder, string? user, string expected)
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => _guest.Shell.StartAsync(
            [program], new CommandOptions { WorkingDirectory = folder, User = user }, Token));

        Assert.Equal(FailureKind.Guest, error.Kind);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_carries_both_ways_and_a_port_without_a_listener_is_refused()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        string port = ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        await using (Stream connection = await _guest.Shell.ConnectAsync(port, Token))
        {
            using Socket peer = await listener.AcceptSocketAsync(Token);
            await connection.WriteAsync("to"u8.ToArray(), Token);
            byte[] buffer = new byte[10];
            Assert.Equal(2, await peer.ReceiveAsync(buffer, Token));
            await peer.SendAsync("from"u8.ToArray(), Token);
            peer.Shutdown(SocketShutdown.Both);
            using var rest = new StreamReader(connection, leaveOpen: true);
            Assert.Equal("from", await rest.ReadToEndAsync(Token));
        }

        listener.Stop();
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => _guest.Shell.ConnectAsync(port, Token));
        Assert.Contains("refused", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Waits_end_when_the_condition_holds_and_tell_what_they_see_until_then()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        string port = ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        var seen = new List<string>();
        await _guest.Shell.WaitAsync(new GuestCondition(GuestConditionKind.Port, port), seen.Add, Token).WaitAsync(s_soon, Token);
        Assert.Empty(seen);

        Task closing = _guest.Shell.WaitAsync(new GuestCondition(GuestConditionKind.ClosedPort, port), seen.Add, Token);
        string file = Path.Combine(_folder.FullName, "a", "b");
        Task appearing = _guest.Shell.WaitAsync(new GuestCondition(GuestConditionKind.File, file), seen.Add, Token);
        Task succeeding = _guest.Shell.WaitAsync(new GuestCondition(GuestConditionKind.Command, $"echo never mind; test -e {file}"), seen.Add, Token);
        await UntilAsync("true", () => seen.Count >= 3);
        Assert.False(closing.IsCompleted || appearing.IsCompleted || succeeding.IsCompleted);
        listener.Stop();
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        await File.WriteAllTextAsync(file, "", Token);
        await Task.WhenAll(closing, appearing, succeeding).WaitAsync(s_soon, Token);

        Assert.Contains(seen, state => state.Contains("exit code 1, it said: never mind", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_reset_drops_what_was_open_and_leaves_its_processes_alone()
    {
        GuestProcess flood = await _guest.Shell.StartAsync(["yes"], new CommandOptions(), Token);
        GuestProcess sleeper = await _guest.Shell.StartAsync(["/bin/sh", "-c", "echo $$; exec sleep 1000"], new CommandOptions(), Token);
        using var output = new StreamReader(sleeper.Output);
        string pid = (await output.ReadLineAsync(Token))!;
        string boot = await _guest.Channel.ResetAsync(null, new byte[64], Token);

        await Assert.ThrowsAsync<VirtigoException>(() => flood.Exited);
        Assert.Equal((await File.ReadAllTextAsync("/proc/sys/kernel/random/boot_id", Token)).Trim(), boot);
        Assert.Equal(0, (await RunAsync($"kill {pid}; kill $(pgrep -P {_guest.ProcessId} yes)", new CommandOptions())).ExitCode);
    }

    [Fact]
    public async Task A_guest_that_is_gone_fails_what_waits_for_it()
    {
        GuestProcess sleeper = await _guest.Shell.StartAsync(["sleep", "1000"], new CommandOptions(), Token);
        using (Process perl = Process.GetProcessById(_guest.ProcessId))
        {
            await RunAsync("true", new CommandOptions());
            int pid = int.Parse((await RunAsync($"pgrep -P {_guest.ProcessId} -x sleep", new CommandOptions())).Output, CultureInfo.InvariantCulture);
            using Process sleep = Process.GetProcessById(pid);
            perl.Kill();
            VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => sleeper.Exited.WaitAsync(s_soon, Token));
            Assert.Equal("The channel to the machine broke: the guest has ended.", error.Message);
            sleep.Kill();
        }

        Assert.Throws<VirtigoException>(() => _guest.Channel.Open(GuestFrameType.Command, default));
    }

    private static CommandOptions Quick => new() { OutputLimit = 1000 };

    private Task<CommandResult> RunAsync(string command, CommandOptions options) =>
        _guest.Shell.ExecuteAsync(command, options, Token).WaitAsync(s_soon, Token);

    private async Task UntilAsync(string command, Func<bool>? also = null)
    {
        long start = Stopwatch.GetTimestamp();
        while ((await RunAsync(command, Quick)).ExitCode != 0 || also?.Invoke() == false)
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < s_soon, $"{command} never came true");
        }
    }
}
