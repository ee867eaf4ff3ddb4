using Virtigo.Environments;
using Xunit;

/// <summary>What Virtigo.Xunit stands on can be used without it.</summary>
public sealed class ByHandTests(Shop shop)
{
    [Fact]
    public async Task An_environment_can_be_started_by_hand()
    {
        Directory.SetCurrentDirectory(AppContext.BaseDirectory);
        CancellationToken ct = TestContext.Current.CancellationToken;
        #region by hand
        await using var shop = await VirtualEnvironment.FromFile("shop.yml").StartAsync(ct);
        var page = await shop["client"].RunAsync("curl -sf http://server/", ct);
        #endregion
        Assert.Contains("Welcome to nginx", page);
    }

    #region fork
    [Fact]
    public async Task A_test_can_have_several_forks()
    {
        await using VirtualEnvironment one = await shop.ForkAsync();
        await using VirtualEnvironment other = await shop.ForkAsync();
        await one["server"].RunAsync("rm -rf /etc/nginx", TestContext.Current.CancellationToken);
        await other["server"].RunAsync("nginx -t", TestContext.Current.CancellationToken);
    }
    #endregion
}
