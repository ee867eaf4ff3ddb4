using System.Globalization;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>
/// An appliance that goes on from where the first one's installer was saved. It differs in all that may differ: name, accounts, time zone, packages, and
/// that it builds on another.
/// </summary>
[Collection(Grounds.Name)]
public sealed class SavedInstallTests(Lab lab, GroundFixture ground)
{
    /// <summary>The appliance in an environment: each network is the one that the card's own address is of.</summary>
    private const string Networked = """
        networks: {front: {}, back: {}}
        machines:
          desk: {appliance: desk.yml, networks: [front, back]}
          client: {appliance: web.yml, networks: front}
        tests:
          static addresses:
            - desk: ip -4 -o address show | grep -c -e ' 192.0.2.10/24 ' -e ' 198.51.100.5/24 ' | grep -x 2
            - desk: ip -6 -o address show | grep ' 2001:db8::10/64 '
            - desk: test "$(systemctl is-active networking.service)" = active
            - desk: getent hosts client
            - client: ping -c 1 -W 20 desk
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_second_appliance_installs_no_base_system_and_is_as_described()
    {
        StoredImage first = await lab.Golden;
        StoredImage image = await ground.Desk;

        // A golden image that is kept may be older than the archive's last news, which no saved installer has.
        if (image.Manifest.Archives.SequenceEqual(first.Manifest.Archives))
        {
            Assert.DoesNotContain(image.Manifest.Timings, timing => timing.Stage == "install: base system");
        }

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

        // What the specs add.
        Assert.Equal("of ground\nWelcome to desk", await machine.ShellAsync("cat /etc/ground /etc/motd", Cancel));
        Assert.Equal("bob developers content", await machine.ShellAsync("stat -c '%U %G' \"/srv/site/page's name\" | tr '\\n' ' '; cat /srv/site/link", Cancel));
        Assert.Equal("root desk", await machine.ShellAsync("cat /srv/ran", Cancel));
        Assert.Equal("base", await machine.ShellAsync("for i in $(seq 60); do test -e /srv/booted && break; sleep 1; done; cat /srv/booted", Cancel));
        Assert.Equal("gone", await machine.ShellAsync("for i in $(seq 60); do test -e /etc/systemd/system/virtigo-first-boot.service || break; sleep 1; done; ls /usr/local/lib/virtigo 2>/dev/null || echo gone", Cancel));
        Assert.Equal("uid=1500(bob) gid=1500(bob) groups=1500(bob),2000(developers)", await machine.ShellAsync("id bob", Cancel));
        Assert.Equal("root", await machine.ShellAsync("su bob -c 'sudo -n whoami'", Cancel));
        Assert.Equal("same", await machine.ShellAsync(
            $"perl -e '$h = (getpwnam \"bob\")[1]; print crypt(\"{GroundFixture.Password}\", $h) eq $h ? \"same\" : \"other $h\"'", Cancel));
        Assert.Equal("masked", await machine.ShellAsync("systemctl is-enabled apt-daily.timer", Cancel));
        Assert.Equal("rc", await machine.ShellAsync("dpkg-query -W -f '${db:Status-Abbrev}' nano | tr -d ' '", Cancel));
        Assert.Contains("it's \"quoted\" $HOME", await machine.ShellAsync("grep -rh 'quoted' /var/cache/debconf/config.dat", Cancel), StringComparison.Ordinal);
        Assert.Contains("Pin-Priority: -1", await machine.ShellAsync("cat /etc/apt/preferences.d/virtigo", Cancel), StringComparison.Ordinal);
        // The agent writes what it is asked to run into the journal, and so this test's own words.
        Assert.Equal("", await machine.ShellAsync($"grep -rl --exclude-dir=journal '{GroundFixture.Password}' /etc /var /srv 2>/dev/null", Cancel));
        string manifest = await File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(image.DiskPath)!, "manifest.json"), Cancel);
        Assert.DoesNotContain(GroundFixture.Password, manifest, StringComparison.Ordinal);

        // What the installer's own words and the network's say.
        Assert.Equal("late", await machine.ShellAsync("cat /srv/late", Cancel));
        Assert.Contains("from the preseed", await machine.ShellAsync("grep -rh 'preseed' /var/cache/debconf/config.dat", Cancel), StringComparison.Ordinal);
        Assert.Equal("search lab.example nameserver 192.0.2.53", await machine.ShellAsync("tr '\\n' ' ' </etc/resolv.conf | sed 's/ $//'", Cancel));
        Assert.Contains("Acquire::http::Proxy \"http://proxy.lab.example:3128\"", await machine.ShellAsync("apt-config dump", Cancel), StringComparison.Ordinal);
        Assert.Equal("nic1 inet static nic1 inet6 static nic2 inet static", await machine.ShellAsync("awk '/^iface nic/{print $2,$3,$4}' /etc/network/interfaces | tr '\\n' ' ' | sed 's/ $//'", Cancel));
        Assert.Equal(["", "52:54:00:aa:bb:cc"], image.Manifest.NetworkCards.Select(card => card.Mac ?? ""));

        // The saved installer's clock stood still.
        long installed = long.Parse(await machine.ShellAsync("stat -c %Y /var/lib/dpkg/info/curl.list", Cancel), CultureInfo.InvariantCulture);
        Assert.InRange(DateTimeOffset.FromUnixTimeSeconds(installed), ground.Began.AddMinutes(-1), TimeProvider.System.GetUtcNow().AddMinutes(1));
    }

    [Fact]
    [Trait(Tiers.Name, Tiers.Thorough)]
    public async Task A_machine_with_addresses_of_its_own_has_them_in_an_environment()
    {
        await ground.Desk;
        File.Copy(lab.Example, Path.Combine(ground.Folder.FullName, "web.yml"));
        await File.WriteAllTextAsync(Path.Combine(ground.Folder.FullName, "env.yml"), Networked, Cancel);

        using IDisposable places = await lab.AllPlacesAsync();
        CommandResult result = await lab.RunAsync(ground.Folder.FullName, ["test", "env.yml"]);

        Assert.True(result.ExitCode == 0, $"virtigo test ended with {result.ExitCode}:\n{result.Data}{result.People}");
    }

    [Fact]
    [Trait(Tiers.Name, Tiers.Thorough)]
    public async Task It_is_the_same_as_one_installed_from_the_beginning()
    {
        StoredImage saved = await ground.Desk;
        StoredImage full = await ground.BuildAsync("desk-full", GroundFixture.DeskSpec, "--full");

        Assert.Equal(full.Manifest.Packages, saved.Manifest.Packages);
        SystemViews.AssertSame(await SystemViews.LookAsync(lab, full.DiskPath), await SystemViews.LookAsync(lab, saved.DiskPath));
    }
}
