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
