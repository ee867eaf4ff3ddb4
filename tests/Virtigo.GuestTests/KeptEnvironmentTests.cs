using System.Diagnostics;
using System.Text.Json;
using Virtigo.Host;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>An environment kept by hand, through the published command as an ordinary user has it.</summary>
[Collection(KeptMachines.Name)]
public sealed class KeptEnvironmentTests(Lab lab) : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-kept");
    private readonly string _name = $"kept-{Guid.NewGuid():N}"[..13];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Server => _name + "/server";

    public async ValueTask InitializeAsync()
    {
        await lab.Golden;
        File.Copy(lab.Example, Path.Combine(_folder.FullName, "web.yml"));
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "kept.yml"), """
            machines:
              server: {appliance: web.yml, memory: 512MiB}
            ready:
              - server: systemctl is-active --wait nginx
            forward: [server:80]
            """, Cancel);
        using IDisposable places = await lab.AllPlacesAsync();
        await OkAsync("up", "kept.yml", "--name", _name);
    }

    public async ValueTask DisposeAsync()
    {
        await lab.RunAsync("down", _name);
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task It_is_listed_entered_by_shell_ssh_and_port_and_goes_without_a_trace()
    {
        JsonElement shop = await PsAsync() ?? throw new InvalidOperationException("it is not listed");
        Assert.Equal("running", shop.GetProperty("machines")[0].GetProperty("state").GetString());
        Assert.Equal("server\n", await OkAsync("shell", Server, "--", "cat", "/etc/hostname"));
        Assert.Equal(7, (await lab.RunAsync("shell", Server, "--", "exit 7")).ExitCode);
        Assert.Equal("through", await PipedAsync("through", "shell", Server, "--", "cat"));

        using var http = new HttpClient();
        string endpoint = shop.GetProperty("forwards")[0].GetProperty("endpoint").GetString()!;
        Assert.Contains("nginx", await http.GetStringAsync(new Uri($"http://{endpoint}/"), Cancel), StringComparison.Ordinal);
        Assert.Contains("systemd", await OkAsync("logs", Server, "--journal", "--lines", "500"), StringComparison.Ordinal);
        if (HostTools.Find("ssh") is not null)
        {
            Assert.Equal("server\n", await OkAsync("ssh", Server, "hostname"));
            await CopyBySshAsync();
        }

        int keeper = shop.GetProperty("processId").GetInt32();
        await OkAsync("down", _name);
        Assert.Null(await PsAsync());
        await GoneAsync(keeper);
        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetStringAsync(new Uri($"http://{endpoint}/"), Cancel));
    }

    [Fact]
    public async Task A_power_cut_leaves_it_up_and_a_killed_keeper_leaves_nothing()
    {
        await OkAsync("power", Server, "cut");
        JsonElement off = await PsAsync() ?? throw new InvalidOperationException("it is not listed");
        Assert.Equal("off", off.GetProperty("machines")[0].GetProperty("state").GetString());
        Assert.Equal((int)FailureKind.Guest, (await lab.RunAsync("shell", Server, "--", "true")).ExitCode);
        await OkAsync("power", Server, "start");
        Assert.Equal("root\n", await OkAsync("shell", Server, "--", "whoami"));

        int keeper = off.GetProperty("processId").GetInt32();
        using (Process process = Process.GetProcessById(keeper))
        {
            process.Kill();
            await process.WaitForExitAsync(Cancel);
        }

        Assert.Null(await PsAsync());
        Assert.Equal((int)FailureKind.Usage, (await lab.RunAsync("shell", Server, "--", "true")).ExitCode);
    }

    [Fact]
    public async Task Files_and_trees_are_copied_both_ways_and_within()
    {
        string site = Path.Combine(_folder.FullName, "site");
        Directory.CreateDirectory(Path.Combine(site, "sub"));
        await File.WriteAllTextAsync(Path.Combine(site, "sub", "run"), "#!/bin/sh\necho from the host\n", Cancel);
        File.SetUnixFileMode(Path.Combine(site, "sub", "run"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead);
        File.CreateSymbolicLink(Path.Combine(site, "link"), "sub/run");
        byte[] large = new byte[8_000_000];
        new Random(1).NextBytes(large);
        await File.WriteAllBytesAsync(Path.Combine(site, "large"), large, Cancel);
        await using (FileStream sparse = File.Create(Path.Combine(site, "sparse")))
        {
            sparse.SetLength(2_000_000_000);
            sparse.Position = 1_000_000_000;
            await sparse.WriteAsync("middle"u8.ToArray(), Cancel);
        }

        await OkAsync("cp", "site", Server + ":/srv/");
        Assert.Equal("from the host\n", await OkAsync("shell", Server, "--", "/srv/site/link"));
        Assert.Equal("740 0\n", await OkAsync("shell", Server, "--", "stat -c '%a %u' /srv/site/sub/run"));
        Assert.InRange(int.Parse(await OkAsync("shell", Server, "--", "stat -c %b /srv/site/sparse"), System.Globalization.CultureInfo.InvariantCulture), 0, 1024);

        await OkAsync("cp", Server + ":/srv/site", Server + ":/srv/again");
        await OkAsync("cp", Server + ":/srv/again", "back");
        string back = Path.Combine(_folder.FullName, "back");
        Assert.Equal(large, await File.ReadAllBytesAsync(Path.Combine(back, "large"), Cancel));
        Assert.Equal(File.GetUnixFileMode(Path.Combine(site, "sub", "run")), File.GetUnixFileMode(Path.Combine(back, "sub", "run")));
        Assert.Equal((2_000_000_000L, "sub/run"), (new FileInfo(Path.Combine(back, "sparse")).Length, new FileInfo(Path.Combine(back, "link")).LinkTarget));

        await OkAsync("cp", "kept.yml", Server + ":/etc/renamed");
        Assert.Equal("kept.yml\n", await OkAsync("shell", Server, "--", "grep -q machines: /etc/renamed && echo kept.yml"));
        CommandResult none = await lab.RunAsync(_folder.FullName, ["cp", Server + ":/no/such", "."]);
        Assert.Equal((2, true), (none.ExitCode, none.People.Contains("There is no file or folder", StringComparison.Ordinal)));
        Assert.Equal("", await OkAsync("shell", Server, "--", "find / -xdev -name '.virtigo-*'"));
    }

    [Fact]
    public async Task Steps_of_test_files_are_carried_out_and_their_faults_stay_until_healed()
    {
        Assert.Equal("hi\n", await OkAsync("step", "server: echo hi", "--on", _name));
        await OkAsync("step", "--on", _name, "disk: {machine: server, fault: slow, rate: 100kB/s}");
        await OkAsync("step", "--on", _name, "server: {run: timeout 3 dd if=/dev/vda of=/dev/null bs=1M count=4 skip=700 iflag=direct, exit: 124}");
        await OkAsync("step", "--on", _name, "disk: {machine: server, fault: none}", "server: dd if=/dev/vda of=/dev/null bs=1M count=1 skip=700 iflag=direct");

        CommandResult wrong = await lab.RunAsync("step", "--on", _name, "server: true", "sever: true");
        Assert.Equal((2, true), (wrong.ExitCode, wrong.People.Contains("step 2:1:1: 'sever' is neither a machine nor a verb; did you mean 'server'?", StringComparison.Ordinal)));

        await OkAsync("step", "--on", _name, "copy out: {machine: server, from: /etc/hostname}", "screenshot: {machine: server, to: now.png}");
        Assert.Equal("server\n", await File.ReadAllTextAsync(Path.Combine(_folder.FullName, "hostname"), Cancel));
        Assert.True(new FileInfo(Path.Combine(_folder.FullName, "now.png")).Length > 100);
        await OkAsync("screenshot", Server, "again.png");
        Assert.True(File.Exists(Path.Combine(_folder.FullName, "again.png")));
        Assert.Contains("systemd", await OkAsync("step", "--on", _name, "journal: server"), StringComparison.Ordinal);
        await OkAsync("step", "--on", _name, "clock: {machine: server, set: 2031-01-02}", "server: {run: date -u +%Y, prints: \"2031\"}");

        using JsonDocument report = JsonDocument.Parse((await lab.RunAsync("step", "--on", _name, "--json", "power cut: server", "start: server", "server: exit 3", "server: echo never")).Data);
        Assert.Equal(["passed", "passed", "failed", "not run"], report.RootElement.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("outcome").GetString()));
    }

    private async Task CopyBySshAsync()
    {
        string config = Path.Combine(_folder.FullName, "config");
        string copy = Path.Combine(_folder.FullName, "hostname");
        await File.WriteAllTextAsync(config, await OkAsync("ssh", "--config", _name), Cancel);
        using Process scp = Process.Start("scp", ["-q", "-F", config, "server:/etc/hostname", copy]);
        await scp.WaitForExitAsync(Cancel);

        Assert.Equal(0, scp.ExitCode);
        Assert.Equal("server\n", await File.ReadAllTextAsync(copy, Cancel));
    }

    private async Task<JsonElement?> PsAsync()
    {
        using JsonDocument listed = JsonDocument.Parse(await OkAsync("ps", "--json"));
        JsonElement[] mine = [.. listed.RootElement.GetProperty("environments").EnumerateArray().Where(one => one.GetProperty("name").GetString() == _name)];
        return mine is [JsonElement one] ? one.Clone() : null;
    }

    private async Task<string> PipedAsync(string text, params string[] arguments)
    {
        using Process process = lab.Start(arguments);
        await process.StandardInput.WriteAsync(text.AsMemory(), Cancel);
        process.StandardInput.Close();
        string output = await process.StandardOutput.ReadToEndAsync(Cancel);
        await process.WaitForExitAsync(Cancel);
        return output;
    }

    private async Task<string> OkAsync(params string[] arguments)
    {
        CommandResult result = await lab.RunAsync(_folder.FullName, arguments);
        Assert.True(result.ExitCode == 0, $"virtigo {string.Join(' ', arguments)} ended with {result.ExitCode}:\n{result.People}");
        return result.Data;
    }

    /// <summary>Waits until a process has ended; one that nobody has asked for its exit code yet has no command line any more.</summary>
    private static async Task GoneAsync(int process)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        string file = $"/proc/{process}/cmdline";
        while (File.Exists(file) && (await File.ReadAllTextAsync(file, Cancel)).Length > 0)
        {
            await Task.Delay(20, limit.Token);
        }
    }
}
