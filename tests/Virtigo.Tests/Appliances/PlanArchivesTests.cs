using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.Installers.Debian;
using Virtigo.Tests.Archives;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class PlanArchivesTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static TargetRepository Vendor(Uri url, TestArchiveKey key, bool armoured = true) =>
        new("vendor", url, ["stable"], ["main", "extra"], File.ReadAllBytes(armoured ? key.ArmouredKeyring : key.Keyring));

    private static AppliancePlan Plan(params TargetRepository[] repositories) => PlanFingerprintTests.Plan with
    {
        Target = new(new TargetChoices { Repositories = repositories, Backports = (new Uri("http://mirror.example/debian/"), "trixie-backports") }, []),
    };

    /// <summary>The suites of a release of the tests' own, and those of a vendor's archive signed by a key of its own.</summary>
    private static async Task<PlanArchives> OpenAsync(TestArchive archive, TestArchive vendor, ArchiveClient client, TestArchiveKey key, bool armoured = true)
    {
        IReadOnlyList<ArchiveSource> sources = await PlanArchives.SourcesAsync(archive.Pool, Plan(Vendor(vendor.Server.Uri, key, armoured)), Token);
        return await PlanArchives.OpenAsync(client, [archive.Source, sources[^1]], "amd64", Token);
    }

    private static (TestArchive Archive, TestArchive Vendor) Start()
    {
        TestArchive vendor = TestArchive.Start(new TestArchiveDeb("tool", "2.0-1"), new TestArchiveDeb("addon", "1.0-1") { Component = "extra" });
        vendor.Publish(new TestRelease { Codename = "vendor", Suite = "stable", Folder = "stable", Key = TestArchiveKey.Stranger });
        return (TestArchive.Start(new TestArchiveDeb("nginx", "1.26.3-3"), new TestArchiveDeb("task-ssh-server", "3.0")), vendor);
    }

    private static Task Check(PlanArchives archives, params string[] packages) =>
        archives.CheckPackagesAsync(new Setting<IReadOnlyList<string>>(packages, new Origin(OriginKind.Spec, "web.yml:1")));

    [Fact]
    public async Task A_plan_uses_the_release_its_updates_backports_and_what_else_is_asked_for_each_under_its_key()
    {
        await using TestArchive archive = TestArchive.Start();
        IReadOnlyList<ArchiveSource> sources = await PlanArchives.SourcesAsync(archive.Pool, Plan(Vendor(new("https://vendor.example/debian/"), TestArchiveKey.Stranger)), Token);
        Assert.Equal(
            [
                "http://mirror.example/debian/ trixie main", "http://mirror.example/debian/ trixie-updates main",
                "http://mirror.example/debian-security/ trixie-security main", "http://mirror.example/debian/ trixie-backports main",
                "https://vendor.example/debian/ stable main extra",
            ],
            sources.Select(source => $"{source.BaseUri} {source.Suite} {string.Join(' ', source.Components)}"));
        Assert.All(sources.SkipLast(1), source => Assert.Null(source.Keyring));
        Assert.Equal(File.ReadAllBytes(TestArchiveKey.Stranger.ArmouredKeyring), File.ReadAllBytes(sources[^1].Keyring!));
    }

    [Theory]
    [InlineData("buster", "buster/updates", "/usr/share/keyrings/debian-archive-removed-keys.gpg")]
    [InlineData("bullseye", "bullseye-security", null)]
    [InlineData("forky", "forky-security", null)]
    public async Task An_archived_release_has_its_own_names_and_the_keys_of_its_time(string release, string security, string? keyring)
    {
        await using TestArchive archive = TestArchive.Start();
        AppliancePlan plan = PlanFingerprintTests.Plan with { Release = new(release, new Origin(OriginKind.Spec, "web.yml:1")) };
        IReadOnlyList<ArchiveSource> sources = await PlanArchives.SourcesAsync(archive.Pool, plan, Token);
        Assert.Equal([release, release + "-updates", security], sources.Select(source => source.Suite));
        Assert.All(sources, source => Assert.Equal(keyring, source.Keyring));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_guest_reaches_a_further_repository_through_the_proxy_and_its_packages_exist(bool armoured)
    {
        (TestArchive archive, TestArchive vendor) = Start();
        await using (archive)
        await using (vendor)
        using (ArchiveClient client = archive.Client())
        {
            PlanArchives archives = await OpenAsync(archive, vendor, client, TestArchiveKey.Stranger, armoured);
            await Check(archives, "nginx", "tool", "addon/stable", "tool=2.0-1", "task:ssh-server", "-nginx");
            var proxy = new ArchiveProxy(archives.Routes(), archive.Pool, new ArchiveProxyOptions());
            Assert.Contains(vendor.Server.Uri.Host, proxy.Hosts);
            var catalog = new ProxyCatalog(archives.Routes().Single(route => route.Suites.Any(suite => suite.Source.Suite == "stable")).Suites, archive.Pool, new());
            ProxyFile file = await catalog.GetAsync(vendor.Debs[1].Filename, Token);
            Assert.Equal(vendor.Debs[1].Build(), await File.ReadAllBytesAsync(file.Path, Token));
            Assert.Equal("packages:stable", file.Verified);
        }
    }

    [Fact]
    public async Task A_repository_that_another_key_signed_is_refused()
    {
        (TestArchive archive, TestArchive vendor) = Start();
        await using (archive)
        await using (vendor)
        using (ArchiveClient client = archive.Client())
        {
            VirtigoException thrown = await Assert.ThrowsAsync<VirtigoException>(() => OpenAsync(archive, vendor, client, TestArchiveKey.Trusted));
            Assert.Equal(FailureKind.Trust, thrown.Kind);
        }
    }

    [Theory]
    [InlineData("ngnix", "web.yml:1: \"ngnix\": no such package", "Did you mean nginx?")]
    [InlineData("-ngnix", "web.yml:1: \"ngnix\": no such package", "Did you mean nginx?")]
    [InlineData("task:ssh-srver", "\"task-ssh-srver\": no such package", "task-ssh-server")]
    [InlineData("nginx/sid", "\"nginx/sid\": there is no such package in that suite", "The appliance uses trixie, stable.")]
    [InlineData("nginx/vendor", "\"nginx/vendor\": there is no such package in that suite", "Take it from another suite: trixie.")]
    [InlineData("nginx/trixie-backports", "there is no such package in that suite", "backports: true")]
    [InlineData("nginx=1.0", "\"nginx=1.0\": the archives have no such version", "They have 1.26.3-3.")]
    public async Task A_package_that_cannot_be_had_is_told_before_anything_starts(string package, string message, string hint)
    {
        (TestArchive archive, TestArchive vendor) = Start();
        await using (archive)
        await using (vendor)
        using (ArchiveClient client = archive.Client())
        {
            PlanArchives archives = await OpenAsync(archive, vendor, client, TestArchiveKey.Stranger);
            VirtigoException thrown = await Assert.ThrowsAsync<VirtigoException>(() => Check(archives, package));
            Assert.Equal(FailureKind.Usage, thrown.Kind);
            Assert.Contains(message, thrown.Message);
            Assert.Contains(hint, thrown.Hint);
        }
    }
}
