using System.Globalization;
using Virtigo.Machines;
using Virtigo.Xunit;
using Xunit;

/// <summary>The recipes of docs/dotnet.md.</summary>
public sealed class RecipeTests(Shop shop) : ForkedTest<Shop>(shop)
{
    #region package upgrade
    [Fact]
    public async Task An_upgrade_keeps_what_the_administrator_changed()
    {
        Machine server = Fork["server"];
        await server.RunAsync("""
            set -e
            for version in 1 2; do
                mkdir -p /tmp/shop-$version/DEBIAN /tmp/shop-$version/etc
                cd /tmp/shop-$version
                printf '%s\n' 'Package: shop' "Version: $version" 'Architecture: all' 'Maintainer: nobody <nobody@example.org>' 'Description: shop' > DEBIAN/control
                echo /etc/shop.conf > DEBIAN/conffiles
                echo "limit = $version" > etc/shop.conf
                dpkg-deb --build --root-owner-group . /tmp/shop_$version.deb
            done
            """, Cancel);
        await server.RunAsync("dpkg --install /tmp/shop_1.deb && echo 'limit = 1000' > /etc/shop.conf", Cancel);

        await server.RunAsync("dpkg --install --force-confold /tmp/shop_2.deb", Cancel);

        Assert.Equal("2", await server.RunAsync("dpkg-query --show --showformat '${Version}' shop", Cancel));
        Assert.Equal("limit = 1000", await server.RunAsync("cat /etc/shop.conf", Cancel));
        Assert.Equal("limit = 2", await server.RunAsync("cat /etc/shop.conf.dpkg-dist", Cancel));
    }
    #endregion

    #region boot time
    [Fact]
    public async Task The_web_server_is_up_soon_after_power_on()
    {
        Machine server = Fork["server"];
        await server.PowerCutAsync(Cancel);
        await server.StartAsync(Cancel);
        await server.WaitForUnitAsync("nginx", TimeSpan.FromMinutes(5), Cancel);

        // Microseconds from the start of the kernel until the unit was active, by the guest's own clock.
        string active = await server.RunAsync("systemctl show --property ActiveEnterTimestampMonotonic --value nginx", Cancel);
        TimeSpan boot = TimeSpan.FromMicroseconds(long.Parse(active, CultureInfo.InvariantCulture));
        Assert.True(boot < TimeSpan.FromMinutes(5), $"Up after {boot}.\n{await server.RunAsync("systemd-analyze blame | head", Cancel)}");
    }
    #endregion

    #region network partition
    [Fact]
    public async Task A_download_survives_a_partition()
    {
        Machine server = Fork["server"], client = Fork["client"];
        await server.RunAsync("head -c 8M /dev/urandom > /var/www/html/big", Cancel);
        Task<string> download = client.RunAsync("curl -sf --limit-rate 1M http://server/big | sha256sum", Cancel);
        await client.WaitForCommandAsync("ss --tcp --no-header state established dport = :80 | grep .", null, Cancel);

        Fork.Links.Partition(["server"], ["client"]);
        await client.FailAsync("curl -sf --max-time 5 http://server/", Cancel);
        await server.RunAsync("curl -sf http://localhost/", Cancel);

        Fork.Links.Heal();
        Assert.Equal(await server.RunAsync("sha256sum < /var/www/html/big", Cancel), await download);
    }
    #endregion
}
