using Virtigo.Environments;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Environments;

public sealed class RunningEnvironmentsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");
    private readonly HostPaths _paths;
    private readonly RunningEnvironments _environments;

    public RunningEnvironmentsTests()
    {
        _paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _folder.FullName : null);
        _environments = new RunningEnvironments(_paths);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("/a/shop.yml", "shop")]
    [InlineData("my shop!.yaml", "my-shop")]
    [InlineData("-.yml", "environment")]
    public void The_name_is_that_of_the_file(string file, string name) => Assert.Equal(name, RunningEnvironments.NameFor(file));

    [Fact]
    public async Task A_name_that_is_taken_gets_a_number_unless_it_must_be_that_one()
    {
        await using KeptPlace first = await UpAsync("shop", "server");
        await using KeptPlace second = await _environments.ClaimAsync("shop", exact: false, Token);
        VirtigoException taken = await Assert.ThrowsAsync<VirtigoException>(() => _environments.ClaimAsync("shop", exact: true, Token));

        Assert.Equal("shop-2", second.Name);
        Assert.Equal(FailureKind.Usage, taken.Kind);
        Assert.Equal(["shop"], (await _environments.ListAsync(Token)).Select(one => one.Name));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(first.Folder));
    }

    [Fact]
    public async Task Many_at_once_get_different_names_and_leave_nothing()
    {
        KeptPlace[] places = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(() => UpAsync("shop", "server"), Token)));
        Assert.Equal(10, places.Select(place => place.Name).Distinct().Count());
        Assert.Equal(10, (await _environments.ListAsync(Token)).Count);
        await Task.WhenAll(places.Select(place => place.DisposeAsync().AsTask()));

        Assert.Empty(await _environments.ListAsync(Token));
        Assert.Equal(["lock"], Directory.EnumerateFileSystemEntries(Path.Combine(_paths.Runtime, "up")).Select(Path.GetFileName));
    }

    [Fact]
    public async Task What_a_killed_keeper_left_is_cleared_away_by_whoever_looks()
    {
        await using KeptPlace living = await UpAsync("shop", "server");
        string dead = Path.Combine(_paths.Runtime, "up", "0123abcd");
        Directory.CreateDirectory(dead);
        foreach (string name in (string[])["lock", "control", KeptPlace.InfoFile])
        {
            File.Copy(Path.Combine(living.Folder, KeptPlace.InfoFile), Path.Combine(dead, name));
        }

        Assert.Single(await _environments.ListAsync(Token));
        Assert.False(Directory.Exists(dead));
    }

    [Fact]
    public async Task The_environment_may_be_left_out_when_only_one_is_meant()
    {
        await using KeptPlace shop = await UpAsync("shop", "server", "client");
        Assert.Equal("shop", (await _environments.FindAsync(null, Token)).Name);
        await using KeptPlace other = await UpAsync("bank", "server", "vault");

        Assert.Equal("client", (await _environments.FindMachineAsync("client", Token)).Machine);
        Assert.Equal("bank", (await _environments.FindMachineAsync("bank/server", Token)).Environment.Name);
        Assert.Contains("bank/server, shop/server", (await RefusedAsync("server")).Hint);
        Assert.Contains("did you mean client?", (await RefusedAsync("cleint")).Message);
        Assert.Contains("did you mean shop?", (await RefusedAsync("shp/server")).Message);
        Assert.Contains("did you mean vault?", (await RefusedAsync("bank/valt")).Message);
        Assert.Contains("bank/vault", (await RefusedAsync("bank")).Hint);
        Assert.Contains("bank, shop", (await Assert.ThrowsAsync<VirtigoException>(() => _environments.FindAsync(null, Token))).Message);
    }

    [Fact]
    public async Task Without_any_the_way_to_one_is_told()
    {
        Assert.Empty(await _environments.ListAsync(Token));
        Assert.Contains("virtigo up", (await RefusedAsync("server")).Hint);
        Assert.Contains("virtigo up", (await RefusedAsync("shop/server")).Hint);
    }

    [Theory]
    [InlineData("")]
    [InlineData("../x")]
    [InlineData("a/b")]
    [InlineData("-x")]
    public async Task Odd_names_are_refused(string name) =>
        Assert.Equal(FailureKind.Usage, (await Assert.ThrowsAsync<VirtigoException>(() => _environments.ClaimAsync(name, exact: true, Token))).Kind);

    [Fact]
    public void A_clients_configuration_leads_through_the_command_and_trusts_only_the_environments_keys()
    {
        string config = SshAccess.ClientConfig("/run/up/1%2", "shop", ["server", "client"], ["/my apps/virtigo", "connect", "--ssh"]);

        Assert.Contains("Host server shop.server\n", config);
        Assert.Contains("ProxyCommand '/my apps/virtigo' connect --ssh shop/client\n", config);
        Assert.Contains("UserKnownHostsFile \"/run/up/1%%2/known_hosts\"\n", config);
        Assert.Equal(2, config.Split("StrictHostKeyChecking yes").Length - 1);
    }

    private async Task<KeptPlace> UpAsync(string name, params string[] machines)
    {
        KeptPlace place = await _environments.ClaimAsync(name, exact: false, Token);
        await place.PublishAsync(new KeptInfo(place.Name, $"/{name}.yml", 1, DateTimeOffset.UnixEpoch, machines), Token);
        return place;
    }

    private Task<VirtigoException> RefusedAsync(string target) =>
        Assert.ThrowsAsync<VirtigoException>(() => _environments.FindMachineAsync(target, Token));
}
