using System.Globalization;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>
/// A second appliance that goes on from where the first one's installer was saved. It differs in all that may differ: name, accounts, time zone
/// and packages.
/// </summary>
public sealed class SavedInstallTests(Lab lab) : IAsyncLifetime
{
    private const string Spec = """
        hostname: desk
        timezone: Europe/Berlin
        packages: [curl]
        user: {name: alice, ssh-keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPlIGr4vLf1nPAUTnLv2FbYXJaSKQCg8/W3K3s8fWQvX alice]}
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-saved");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string File => Path.Combine(_folder.FullName, "saved.yml");

    public async ValueTask InitializeAsync() => await System.IO.File.WriteAllTextAsync(File, Spec, Cancel);

    public ValueTask DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_second_appliance_installs_no_base_system_and_is_as_described()
    {
        StoredImage first = await lab.Golden;
        DateTimeOffset before = TimeProvider.System.GetUtcNow();
        StoredImage image = await BuildAsync("saved", "--force");

        Assert.DoesNotContain(image.Manifest.Timings, timing => timing.Stage == "install: base system");
        Assert.Contains(image.Manifest.Materials, material => material.Url.Contains("/libc6_", StringComparison.Ordinal));
        Assert.Contains(image.Manifest.Materials, material => material.Url.Contains("/curl_", StringComparison.Ordinal));
        Assert.NotEqual(first.Key, image.Key);
        await using BootedCopy machine = await lab.BootAsync(image.DiskPath);
        Assert.Equal("desk", await machine.ShellAsync("hostname", Cancel));
        Assert.Equal("desk.internal", await machine.ShellAsync("hostname --fqdn", Cancel));
        Assert.Equal("/usr/share/zoneinfo/Europe/Berlin", await machine.ShellAsync("readlink -f /etc/localtime", Cancel));
        Assert.Equal("ii", await machine.ShellAsync("dpkg-query -W -f '${db:Status-Abbrev}' curl | tr -d ' '", Cancel));
        Assert.Equal("", await machine.ShellAsync("dpkg-query -W -f '${Package}' nginx 2>/dev/null", Cancel));
        Assert.Equal("ssh-ed25519", await machine.ShellAsync("cut -d' ' -f1 /home/alice/.ssh/authorized_keys", Cancel));
        Assert.Equal("root", await machine.ShellAsync("su alice -c 'sudo -n whoami'", Cancel));
        Assert.StartsWith("root:*:", await machine.ShellAsync("grep ^root: /etc/shadow", Cancel), StringComparison.Ordinal);
        Assert.Equal("", await machine.ShellAsync("systemctl list-units --failed --plain --no-legend", Cancel));
        Assert.Equal("", await machine.ShellAsync("grep -rl debian.internal /etc 2>/dev/null; grep -rlE 'alice:[$]|virtigo/own' /var/log/installer", Cancel));

        // The saved installer's clock stood still.
        long installed = long.Parse(await machine.ShellAsync("stat -c %Y /var/lib/dpkg/info/curl.list", Cancel), CultureInfo.InvariantCulture);
        Assert.InRange(DateTimeOffset.FromUnixTimeSeconds(installed), before.AddMinutes(-1), TimeProvider.System.GetUtcNow().AddMinutes(1));
    }

    [Fact]
    [Trait(Tiers.Name, Tiers.Thorough)]
    public async Task It_is_the_same_as_one_installed_from_the_beginning()
    {
        await lab.Golden;
        StoredImage saved = await BuildAsync("saved-again", "--force");
        StoredImage full = await BuildAsync("saved-full", "--full");

        Assert.Equal(full.Manifest.Packages, saved.Manifest.Packages);
        SystemViews.AssertSame(await SystemViews.LookAsync(lab, full.DiskPath), await SystemViews.LookAsync(lab, saved.DiskPath));
    }

    private async Task<StoredImage> BuildAsync(string name, string how)
    {
        using IDisposable place = await lab.PlaceAsync();
        CommandResult result = await lab.RunAsync("build", File, "--name", name, how);
        Assert.True(result.ExitCode == 0, $"virtigo build ended with {result.ExitCode}:\n{result.People}");
        return new ImageStore(lab.Paths).Find(name);
    }
}
