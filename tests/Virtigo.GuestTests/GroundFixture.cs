using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>
/// An appliance that others build on, and that nobody has built before: the first that builds on it goes on from where the golden image's installer was
/// saved, and has to save where the ground is complete; the next goes on from there. It has all that a spec may say.
/// </summary>
public sealed class GroundFixture : IAsyncLifetime
{
    /// <summary>The password of <c>bob</c>, which is to be found nowhere.</summary>
    public const string Password = "correct horse battery";

    /// <summary>The first that builds on it.</summary>
    public const string DeskSpec = """
        from: ground.yml
        hostname: desk
        packages: [bc, -nano]
        files: [{content: "Welcome to {{hostname}}\n", to: /etc/motd, template: true}]
        run: echo "$(id -un) $(hostname)" > /srv/ran
        """;

    private static readonly string s_ground = $$$"""
        timezone: Europe/Berlin
        packages: [curl]
        debconf: {curl: {virtigo/test: string it's "quoted" $HOME}}
        pins: [{package: hello, release: trixie, priority: -1}]
        user: {name: alice, ssh-keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPlIGr4vLf1nPAUTnLv2FbYXJaSKQCg8/W3K3s8fWQvX alice]}
        groups: [{name: developers, gid: 2000}]
        users:
          - {name: bob, full-name: Bob Builder, uid: 1500, groups: [developers], sudo: nopasswd, password: "env:VIRTIGO_TEST_BOB"}
          - carol
        files:
          - {content: "of {{hostname}}\n", to: /etc/ground, template: true}
          - {content: "{{{Guid.NewGuid()}}}\n", to: /etc/once}
          - {from: site, to: /srv/site, owner: bob, group: developers}
        units: {mask: apt-daily.timer}
        profile: tcg
        run: echo base >> /srv/order
        first-boot: echo base >> /srv/booted
        network:
          interfaces:
            - {addresses: [192.0.2.10/24, "2001:db8::10/64"], gateway: 192.0.2.1, mtu: 1400}
            - {mac: 52:54:00:aa:bb:cc, addresses: 198.51.100.5/24}
          dns: 192.0.2.53
          search: lab.example
          proxy: http://proxy.lab.example:3128
        preseed: |
          d-i preseed/late_command string echo late > /target/srv/late
          curl virtigo/other string from the preseed
        """;

    private readonly Lab _lab;
    private readonly Lazy<Task<StoredImage>> _desk;

    public GroundFixture(Lab lab)
    {
        _lab = lab;
        _desk = new(BuildDeskAsync);
    }

    /// <summary>The folder of the specs, <c>ground.yml</c> among them.</summary>
    public DirectoryInfo Folder { get; } = Directory.CreateTempSubdirectory("virtigo-ground");

    /// <summary>When nothing of it was built yet.</summary>
    public DateTimeOffset Began { get; } = TimeProvider.System.GetUtcNow();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Environment.SetEnvironmentVariable("VIRTIGO_TEST_BOB", Password);
        await File.WriteAllTextAsync(Path.Combine(Folder.FullName, "ground.yml"), s_ground, Cancel);
        string site = Folder.CreateSubdirectory("site").FullName;
        await File.WriteAllTextAsync(Path.Combine(site, "page's name"), "content", Cancel);
        File.CreateSymbolicLink(Path.Combine(site, "link"), "page's name");
    }

    public ValueTask DisposeAsync()
    {
        Folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>The image of <see cref="DeskSpec"/>.</summary>
    public Task<StoredImage> Desk => _desk.Value;

    /// <summary>Builds an appliance.</summary>
    /// <param name="name">What its file and its image are called.</param>
    /// <param name="spec">The spec.</param>
    /// <param name="how">Further options of the command.</param>
    public async Task<StoredImage> BuildAsync(string name, string spec, params string[] how)
    {
        string file = Path.Combine(Folder.FullName, name + ".yml");
        await File.WriteAllTextAsync(file, spec, Cancel);
        using IDisposable place = await _lab.PlaceAsync(isLong: true);
        CommandResult result = await _lab.RunAsync(["build", file, .. how]);
        Assert.True(result.ExitCode == 0, $"virtigo build ended with {result.ExitCode}:\n{result.People}");
        return new ImageStore(_lab.Paths).Find(name);
    }

    private async Task<StoredImage> BuildDeskAsync()
    {
        await _lab.Golden;
        return await BuildAsync("desk", DeskSpec);
    }
}

[CollectionDefinition(Name)]
public sealed class Grounds : ICollectionFixture<GroundFixture>
{
    public const string Name = "ground";
}
