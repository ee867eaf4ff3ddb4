using System.Security.Cryptography;
using Virtigo.Environments;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>Every verb of a machine, on a real Debian. A fork takes a second, so that each test has a fresh one and asks it much.</summary>
[Collection(EnvironmentGuests.Name)]
public sealed class MachineTests(EnvironmentFixture fixture)
{
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(500);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_guests_side_of_the_channel_is_seen_to_run_as_long_as_it_does()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Assert.Equal(0, (await shop["server"].ExecuteAsync(GuestChannelSetup.Look, Cancel)).ExitCode);
        Assert.NotEqual(0, (await shop["server"].ExecuteAsync(
            GuestChannelSetup.Look.Replace("virtigo-channel.service", "other.service", StringComparison.Ordinal)
                .Replace("guest-channel[.]pl", "other[.]pl", StringComparison.Ordinal), Cancel)).ExitCode);
    }

    [Fact]
    public async Task Commands_run_as_asked_and_are_killed_when_their_time_is_up()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine server = shop["server"];
        var options = new CommandOptions
        {
            User = "www-data",
            WorkingDirectory = "/usr",
            Environment = new Dictionary<string, string> { ["GREETING"] = "it's 5 \"o'clock\"\n" },
            Input = "given\n"u8.ToArray(),
        };

        Machines.CommandResult result = await server.ExecuteAsync("id -un; pwd; echo \"$GREETING\"; cat; echo bad >&2; exit 7", options, Cancel);

        Assert.Equal((7, "www-data\n/usr\nit's 5 \"o'clock\"\n\ngiven\n", "bad\n"), (result.ExitCode, result.Output, result.Error));
        Assert.Equal("0", await server.RunAsync("id -u", Cancel));
        Assert.Equal(3, (await server.FailAsync("exit 3", Cancel)).ExitCode);
        MachineCommandException failed = await Assert.ThrowsAsync<MachineCommandException>(() => server.RunAsync("echo no luck >&2; exit 9", Cancel));
        Assert.Contains("exit code 9", failed.Message, StringComparison.Ordinal);
        Assert.Contains("no luck", failed.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<MachineCommandException>(() => server.FailAsync("true", Cancel));

        VirtigoException late = await Assert.ThrowsAsync<VirtigoException>(() => server.ExecuteAsync(
            "echo begun; sleep 4711 & sleep 4711", new CommandOptions { Limit = s_soon }, Cancel));
        Assert.Equal(FailureKind.TimedOut, late.Kind);
        Assert.Contains("begun", late.Message, StringComparison.Ordinal);
        await server.WaitUntilFailsAsync("pgrep -f 'sleep [4]711'", null, Cancel);
    }

    [Fact]
    public async Task Processes_stream_on_pipes_and_terminals_and_a_flood_holds_nobody_up()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine server = shop["server"];

        await using GuestProcess flood = await server.StartProcessAsync(["yes"], new CommandOptions(), Cancel);
        await using GuestProcess echo = await server.StartProcessAsync("while read line; do echo \"<$line>\"; done; echo end >&2; exit 4", new CommandOptions(), Cancel);
        using var said = new StreamReader(echo.Output);
        await echo.Input.WriteAsync("one\n"u8.ToArray(), Cancel);
        Assert.Equal("<one>", await said.ReadLineAsync(Cancel));
        Assert.Equal("alive", await server.RunAsync("echo alive", Cancel));
        await echo.Input.DisposeAsync();
        Assert.Equal(4, await echo.Exited.WaitAsync(Cancel));
        Assert.Equal("end\n", await new StreamReader(echo.Error).ReadToEndAsync(Cancel));
        await flood.SignalAsync(15, Cancel);
        await flood.Output.CopyToAsync(Stream.Null, Cancel);
        Assert.Equal(128 + 15, await flood.Exited.WaitAsync(Cancel));

        await using GuestProcess terminal = await server.StartProcessAsync(
            "echo $TERM; stty size; read line; stty size", new CommandOptions { Terminal = new TerminalOptions("vt220", 91, 33) }, Cancel);
        using var screen = new StreamReader(terminal.Output);
        Assert.Equal("vt220", await screen.ReadLineAsync(Cancel));
        Assert.Equal("33 91", await screen.ReadLineAsync(Cancel));
        await terminal.ResizeAsync(120, 40, Cancel);
        await terminal.Input.WriteAsync("go on\n"u8.ToArray(), Cancel);
        Assert.Equal("go on", await screen.ReadLineAsync(Cancel));
        Assert.Equal("40 120", await screen.ReadLineAsync(Cancel));

        await using Stream web = await server.ConnectAsync(80, Cancel);
        await web.WriteAsync("GET / HTTP/1.0\r\n\r\n"u8.ToArray(), Cancel);
        Assert.Contains("Welcome to nginx", await new StreamReader(web).ReadToEndAsync(Cancel), StringComparison.Ordinal);
        VirtigoException closed = await Assert.ThrowsAsync<VirtigoException>(() => server.ConnectAsync(81, Cancel));
        Assert.Contains("81", closed.Message, StringComparison.Ordinal);
        await using Stream socket = await server.ConnectAsync("/run/systemd/journal/stdout", Cancel);
    }

    [Fact]
    public async Task Waits_end_when_it_happens_and_say_what_they_saw_when_it_does_not()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine server = shop["server"];

        await server.WaitForUnitAsync("nginx", null, Cancel);
        await server.WaitForPortAsync(80, null, Cancel);
        Assert.Contains("port 8080", await OverdueAsync(server.WaitForPortAsync(8080, s_soon, Cancel)), StringComparison.Ordinal);
        Assert.Contains("port 80", await OverdueAsync(server.WaitForClosedPortAsync(80, s_soon, Cancel)), StringComparison.Ordinal);
        Assert.Contains("/run/later", await OverdueAsync(server.WaitForFileAsync("/run/later", s_soon, Cancel)), StringComparison.Ordinal);
        Assert.Contains("exit code 5", await OverdueAsync(server.WaitForCommandAsync("exit 5", s_soon, Cancel)), StringComparison.Ordinal);
        Assert.Contains("rescue.service", await OverdueAsync(server.WaitForUnitAsync("rescue", s_soon, Cancel)), StringComparison.Ordinal);
        Assert.Contains("open sesame", await OverdueAsync(server.WaitForConsoleAsync("open sesame", s_soon, Cancel)), StringComparison.Ordinal);

        Task file = server.WaitForFileAsync("/run/later", null, Cancel);
        Task closed = server.WaitForClosedPortAsync(80, null, Cancel);
        Task<string> console = server.WaitForConsoleAsync("open sesa+me", null, Cancel);
        await server.RunAsync("systemctl stop nginx; echo 'open sesaaame' > /dev/ttyS0; touch /run/later", Cancel);
        await Task.WhenAll(file, closed);
        Assert.Equal("open sesaaame", await console);
        Assert.Contains("sesaaame", server.ConsoleTail(5), StringComparison.Ordinal);
        Assert.Contains("Stopped", await server.JournalAsync("nginx", Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Files_and_trees_are_copied_both_ways_with_all_they_are()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine server = shop["server"];
        DirectoryInfo work = Directory.CreateTempSubdirectory("virtigo-copies");
        try
        {
            string tree = Path.Combine(work.FullName, "tree");
            Directory.CreateDirectory(Path.Combine(tree, "deep", "er"));
            string script = Path.Combine(tree, "deep", "script with blank");
            await File.WriteAllTextAsync(script, "#!/bin/sh\necho ran\n", Cancel);
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead);
            File.CreateSymbolicLink(Path.Combine(tree, "link"), "deep/script with blank");
            byte[] large = RandomNumberGenerator.GetBytes(20 << 20);
            await File.WriteAllBytesAsync(Path.Combine(tree, "large"), large, Cancel);
            await using (FileStream sparse = File.Create(Path.Combine(tree, "sparse")))
            {
                sparse.Position = 1L << 30;
                await sparse.WriteAsync("end"u8.ToArray(), Cancel);
            }

            await server.CopyInAsync(tree, "/srv/copy", Cancel);
            Assert.Equal("740 root\nran\n1073741827", await server.RunAsync(
                "cd /srv/copy && stat -c '%a %U' 'deep/script with blank' && ./link && stat -c %s sparse && test $(du -k sparse | cut -f 1) -lt 1000", Cancel));
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(large)), await server.RunAsync("sha256sum < /srv/copy/large | cut -d ' ' -f 1", Cancel));

            await server.RunAsync("mkfifo /srv/copy/pipe && ln -s /etc/passwd /srv/copy/away", Cancel);
            string back = Path.Combine(work.FullName, "back");
            IReadOnlyList<string> leftOut = await server.CopyOutAsync("/srv/copy", back, Cancel);
            Assert.Equal(2, leftOut.Count);
            Assert.Equal(File.GetUnixFileMode(script), File.GetUnixFileMode(Path.Combine(back, "deep", "script with blank")));
            Assert.Equal("deep/script with blank", new FileInfo(Path.Combine(back, "link")).LinkTarget);
            Assert.Equal(large, await File.ReadAllBytesAsync(Path.Combine(back, "large"), Cancel));
            Assert.Equal((1L << 30) + 3, new FileInfo(Path.Combine(back, "sparse")).Length);

            await server.CopyOutAsync("/srv/copy/link", Path.Combine(work.FullName, "script"), Cancel);
            Assert.Equal(await File.ReadAllTextAsync(script, Cancel), await File.ReadAllTextAsync(Path.Combine(work.FullName, "script"), Cancel));
            await Assert.ThrowsAsync<VirtigoException>(() => server.CopyOutAsync("/srv/none", Path.Combine(work.FullName, "none"), Cancel));
            Assert.Contains("was not copied", await OverdueAsync(server.CopyInAsync(
                tree, "/srv/late", new CopyOptions { Limit = TimeSpan.FromMilliseconds(1) }, Cancel)), StringComparison.Ordinal);
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Screen_keyboard_and_clock_are_those_of_a_machine()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine server = shop["server"];

        byte[] picture = await server.ScreenshotAsync(Cancel);
        Assert.Equal("PNG"u8.ToArray(), picture[1..4]);
        Assert.Contains("login:", await server.ScreenTextAsync(Cancel), StringComparison.Ordinal);
        await server.TypeAsync("Who-is it_42", Cancel);
        await server.WaitForCommandAsync("grep -q 'Who-is it_42' /dev/vcs1", null, Cancel);
        await server.SendKeysAsync("ctrl-c", Cancel);
        Assert.Contains("sysrq: ", await server.SysRqAsync("h", Cancel), StringComparison.Ordinal);

        // Debian allows no account of the kernel's own state by default.
        VirtigoException refused = await Assert.ThrowsAsync<VirtigoException>(() => server.SysRqAsync("memory", Cancel));
        Assert.Contains("does not allow", refused.Message, StringComparison.Ordinal);
        Assert.Contains("sysctl -w kernel.sysrq=1", refused.Hint, StringComparison.Ordinal);
        await server.RunAsync("sysctl -w kernel.sysrq=1 && dmesg --console-level 7", Cancel);
        Assert.Contains("Mem-Info", await server.SysRqAsync("memory", Cancel), StringComparison.Ordinal);

        await server.SetClockAsync(new DateTimeOffset(2031, 5, 6, 7, 8, 9, TimeSpan.Zero), Cancel);
        Assert.StartsWith("2031-05-06 07:0", await server.RunAsync("date -u '+%F %T'", Cancel), StringComparison.Ordinal);
        await server.JumpClockAsync(TimeSpan.FromDays(-2), Cancel);
        Assert.StartsWith("2031-05-04 07:0", await server.RunAsync("date -u '+%F %T'", Cancel), StringComparison.Ordinal);
        await server.SkewClockAsync(12_345.5, Cancel);
        await server.SkewClockAsync(0, Cancel);
    }

    [Fact]
    public async Task Power_goes_off_and_on_as_asked()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine server = shop["server"];
        Machine client = shop["client"];

        Task<Machines.CommandResult> running = client.ExecuteAsync("sleep 600", Cancel);
        await client.WaitForCommandAsync("pgrep -x sleep", null, Cancel);
        await client.PauseAsync(Cancel);
        Assert.Equal(MachineState.Paused, client.State);
        await client.ResumeAsync(Cancel);
        await client.RunAsync("systemctl stop qemu-guest-agent", Cancel);
        Task button = client.ShutdownAsync(Cancel);
        await server.RunAsync("sync; echo lost > /run/lost", Cancel);
        await server.RebootAsync(Cancel);
        Assert.Equal("", await server.RunAsync("cat /run/lost 2>/dev/null || true", Cancel));
        await button;
        VirtigoException ended = await Assert.ThrowsAsync<VirtigoException>(() => running);
        Assert.Contains("client is off", ended.Message, StringComparison.Ordinal);

        await server.ShutdownAsync(Cancel);
        Assert.Equal(MachineState.Off, server.State);
        await server.StartAsync(Cancel);
        Task<Machines.CommandResult> early = server.ExecuteAsync("true", Cancel);
        await Task.Delay(s_soon, Cancel);
        await server.PowerCutAsync(Cancel);
        Assert.Contains("server is off", (await Assert.ThrowsAsync<VirtigoException>(() => early)).Message, StringComparison.Ordinal);
    }

    private static async Task<string> OverdueAsync(Task waiting)
    {
        VirtigoException late = await Assert.ThrowsAsync<VirtigoException>(() => waiting);
        Assert.Equal(FailureKind.TimedOut, late.Kind);
        return late.Message;
    }
}
