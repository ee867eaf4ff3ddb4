using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class TestArchiveTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_package_travels_from_the_signed_archive_into_the_pool_and_can_be_read()
    {
        await using TestArchive archive = TestArchive.Start(
            new TestArchiveDeb("hello") { Files = new Dictionary<string, string> { ["usr/share/hello"] = "hello\n" } },
            new TestArchiveDeb("net") { Udeb = true });
        using ArchiveClient client = archive.Client();

        ArchiveSuite suite = await client.OpenAsync(archive.Source, Token);
        PackageIndex packages = await suite.PackagesAsync("main", "amd64", installer: false, Token);
        string path = await suite.FetchPackageAsync(packages.Find("hello")!, Token);

        using DebPackage deb = DebPackage.Open(path);
        Assert.Equal("hello", deb.Control["Package"]);
        Assert.Equal("hello\n"u8.ToArray(), deb.ReadFile("usr/share/hello", maxSize: 100));
        Assert.NotNull((await suite.PackagesAsync("main", "amd64", installer: true, Token)).Find("net"));
    }
}
