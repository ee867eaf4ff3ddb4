#region getting started
using System.Runtime.Versioning;
using Virtigo.Xunit;
using Xunit;

[assembly: AssemblyFixture(typeof(Shop))]
[assembly: SupportedOSPlatform("linux")]

public sealed class Shop() : EnvironmentFixture("shop.yml");

public sealed class ShopTests(Shop shop) : ForkedTest<Shop>(shop)
{
    [Fact]
    public async Task The_shop_shows_its_page() =>
        Assert.Contains("Welcome", await Fork["client"].RunAsync("curl -sf http://server/", Cancel));
}
#endregion
