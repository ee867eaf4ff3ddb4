using System.Security.Cryptography;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class ArchiveClientTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_second_run_asks_only_whether_the_release_changed()
    {
        await using TestArchive archive = TestArchive.Start();
        await FetchHello(archive);
        int before = archive.Server.Requests.Count;

        using ArchiveClient client = archive.Client();
        ArchiveSuite suite = await client.OpenAsync(archive.Source, Token);
        PackageIndex index = await suite.PackagesAsync("main", "amd64", installer: false, Token);
        await suite.FetchPackageAsync(index.Find("hello")!, Token);

        Assert.Equal(1, client.UpstreamRequests);
        TestArchiveRequest only = Assert.Single(archive.Server.Requests.Skip(before));
        Assert.Equal(("dists/trixie/InRelease", 304), (only.Path, only.Status));
    }

    [Fact]
    public async Task A_changed_release_is_taken_over()
    {
        await using TestArchive archive = TestArchive.Start();
        await FetchHello(archive);
        archive.Publish(archive.Release with { Date = archive.Release.Date.AddMinutes(5) });
        archive.Add(new TestArchiveDeb("extra"));

        using ArchiveClient client = archive.Client();
        ArchiveSuite suite = await client.OpenAsync(archive.Source, Token);

        Assert.NotNull((await suite.PackagesAsync("main", "amd64", installer: false, Token)).Find("extra"));
        Assert.Equal(archive.Server.Get("dists/trixie/InRelease"), await File.ReadAllBytesAsync(suite.InReleasePath, Token));
        Assert.Equal(["InRelease"], suite.SignedFiles.Keys);
    }

    [Fact]
    public async Task A_pinned_release_is_used_whatever_the_archive_has_by_now_and_however_old_it_is()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Publish(archive.Release with { ValidUntil = TimeProvider.System.GetUtcNow().AddDays(-1) });
        ArchiveSource pinned = archive.Source with { Pinned = Convert.ToHexStringLower(SHA256.HashData(archive.Server.Get("dists/trixie/InRelease"))) };
        using (ArchiveClient first = archive.Client())
        {
            // From the mirror that still has it.
            await (await first.OpenAsync(pinned, Token)).PackagesAsync("main", "amd64", installer: false, Token);
        }

        archive.Publish(archive.Release with { Date = archive.Release.Date.AddMinutes(5), ValidUntil = null });
        archive.Add(new TestArchiveDeb("extra"));
        using ArchiveClient client = archive.Client();
        ArchiveSuite suite = await client.OpenAsync(pinned, Token);

        Assert.Equal(pinned.Pinned, suite.ReleaseSha256);
        Assert.Null((await suite.PackagesAsync("main", "amd64", installer: false, Token)).Find("extra"));
        Assert.Equal(0, client.UpstreamRequests);
    }

    [Fact]
    public async Task A_pinned_release_that_nobody_has_is_named_with_what_there_is_instead()
    {
        await using TestArchive archive = TestArchive.Start();
        ArchiveSource pinned = archive.Source with { Pinned = new string('a', 64) };

        using ArchiveClient client = archive.Client();
        VirtigoException gone = await Assert.ThrowsAsync<VirtigoException>(() => client.OpenAsync(pinned, Token));
        using ArchiveClient offline = archive.Client(options => options with { Offline = true });
        VirtigoException alone = await Assert.ThrowsAsync<VirtigoException>(() => offline.OpenAsync(pinned, Token));

        Assert.Equal((FailureKind.Archive, FailureKind.Archive), (gone.Kind, alone.Kind));
        Assert.Contains("\"trixie\" that is pinned (aaaaaaaaaaaa…)", gone.Message, StringComparison.Ordinal);
        Assert.Contains($"has one of {archive.Release.Date.UtcDateTime:yyyy-MM-dd}", gone.Message, StringComparison.Ordinal);
        Assert.Contains("--offline", alone.Hint, StringComparison.Ordinal);
        Assert.Equal(0, offline.UpstreamRequests);
    }

    [Fact]
    public async Task Offline_nothing_is_asked_and_what_was_fetched_is_there()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Add(new TestArchiveDeb("second"));
        await FetchHello(archive);
        int before = archive.Server.Requests.Count;

        using ArchiveClient client = archive.Client(options => options with { Offline = true });
        ArchiveSuite suite = await client.OpenAsync(archive.Source, Token);
        PackageIndex index = await suite.PackagesAsync("main", "amd64", installer: false, Token);
        Assert.NotNull(await suite.FetchPackageAsync(index.Find("hello")!, Token));
        VirtigoException e = await Fails(FailureKind.Archive, () => suite.FetchPackageAsync(index.Find("second")!, Token));

        Assert.Contains("pool/main/s/second/second_1.0-1_amd64.deb", e.Message, StringComparison.Ordinal);
        Assert.Equal((0, before), (client.UpstreamRequests, archive.Server.Requests.Count));
    }

    [Fact]
    public async Task Offline_with_an_empty_cache_names_the_suite()
    {
        await using TestArchive archive = TestArchive.Start();
        using ArchiveClient client = archive.Client(options => options with { Offline = true });
        VirtigoException e = await Fails(FailureKind.Archive, () => client.OpenAsync(archive.Source, Token));
        Assert.Contains("\"trixie\"", e.Message, StringComparison.Ordinal);
        Assert.Contains("--offline", e.Hint, StringComparison.Ordinal);
        Assert.Empty(archive.Server.Requests);
    }

    [Fact]
    public async Task A_release_with_a_detached_signature_is_accepted()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Publish(archive.Release with { Inline = false });
        using ArchiveClient client = archive.Client();
        ArchiveSuite suite = await client.OpenAsync(archive.Source, Token);
        Assert.Equal(["Release", "Release.gpg"], suite.SignedFiles.Keys.Order());
        Assert.NotNull((await suite.PackagesAsync("main", "amd64", installer: false, Token)).Find("hello"));
    }

    [Theory]
    [InlineData("InRelease", true)]
    [InlineData("Release", false)]
    [InlineData("Release.gpg", false)]
    public async Task A_bad_signature_is_refused(string file, bool inline)
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Publish(archive.Release with { Inline = inline });
        archive.Server.Misbehave(Misbehaviour.Corrupt, "dists/trixie/" + file);
        using ArchiveClient client = archive.Client();
        VirtigoException e = await Fails(FailureKind.Trust, () => client.OpenAsync(archive.Source, Token));
        Assert.Contains("gpgv", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(archive.PoolDirectory, "suites"));
    }

    [Fact]
    public async Task A_strangers_archive_is_refused_and_not_used_offline_later()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Publish(archive.Release with { Key = TestArchiveKey.Stranger });
        using ArchiveClient client = archive.Client();
        VirtigoException e = await Fails(FailureKind.Trust, () => client.OpenAsync(archive.Source, Token));
        Assert.Contains(TestArchiveKey.Trusted.Keyring, e.Message, StringComparison.Ordinal);
        using ArchiveClient offline = archive.Client(options => options with { Offline = true });
        await Fails(FailureKind.Archive, () => offline.OpenAsync(archive.Source, Token));
    }

    [Fact]
    public async Task A_cached_release_is_verified_again_against_the_keyring_of_today()
    {
        await using TestArchive archive = TestArchive.Start();
        await FetchHello(archive);
        using ArchiveClient offline = archive.Client(options => options with { Offline = true });
        await Fails(FailureKind.Trust, () => offline.OpenAsync(archive.Source with { Keyring = TestArchiveKey.Stranger.Keyring }, Token));
    }

    [Fact]
    public async Task An_expired_release_is_refused_unless_allowed()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Publish(archive.Release with { Date = archive.Release.Date.AddDays(-8), ValidUntil = archive.Release.Date.AddDays(-1) });
        using ArchiveClient client = archive.Client();
        VirtigoException e = await Fails(FailureKind.Trust, () => client.OpenAsync(archive.Source, Token));
        Assert.Contains("valid until", e.Message, StringComparison.Ordinal);
        Assert.Contains("--allow-expired", e.Hint, StringComparison.Ordinal);

        using ArchiveClient lenient = archive.Client(options => options with { AllowExpired = true });
        Assert.NotNull(await lenient.OpenAsync(archive.Source, Token));
    }

    [Fact]
    public async Task A_release_from_the_future_is_refused()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Publish(archive.Release with { Date = archive.Release.Date.AddHours(3) });
        using ArchiveClient client = archive.Client(options => options with { AllowExpired = true });
        VirtigoException e = await Fails(FailureKind.Trust, () => client.OpenAsync(archive.Source, Token));
        Assert.Contains("clock", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_older_release_than_the_one_seen_is_refused_as_a_replay()
    {
        await using TestArchive archive = TestArchive.Start();
        await FetchHello(archive);
        archive.Publish(archive.Release with { Date = archive.Release.Date.AddDays(-1) });
        using ArchiveClient client = archive.Client();
        VirtigoException e = await Fails(FailureKind.Trust, () => client.OpenAsync(archive.Source, Token));
        Assert.Contains("older", e.Message, StringComparison.Ordinal);
        Assert.Contains("--allow-expired", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_signed_release_of_another_suite_is_refused()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Publish(archive.Release with { Codename = "bookworm", Suite = "oldstable" });
        archive.Server.Put("dists/trixie/InRelease", archive.Server.Get("dists/bookworm/InRelease"));
        using ArchiveClient client = archive.Client();
        VirtigoException e = await Fails(FailureKind.Trust, () => client.OpenAsync(archive.Source with { Suite = "trixie" }, Token));
        Assert.Contains("\"bookworm\"", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_suite_that_no_mirror_has_is_the_archives_failure()
    {
        await using TestArchive archive = TestArchive.Start();
        using ArchiveClient client = archive.Client();
        VirtigoException e = await Fails(FailureKind.Archive, () => client.OpenAsync(archive.Source with { Suite = "trixy" }, Token));
        Assert.Contains("dists/trixy/Release", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Indices_come_by_hash_if_the_archive_offers_it(bool byHash)
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Publish(archive.Release with { ByHash = byHash });
        await FetchHello(archive);
        Assert.Equal(byHash, archive.Server.Requests.Any(request => request.Path.Contains("/by-hash/SHA256/", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Where_by_hash_is_promised_but_missing_the_plain_name_serves()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Server.Misbehave(Misbehaviour.Missing, "by-hash");
        await FetchHello(archive);
        Assert.Contains(archive.Server.Requests, request => request.Path.EndsWith("Packages.xz", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_archive_without_xz_is_read_by_gz()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Publish(archive.Release with { Xz = false });
        await FetchHello(archive);
    }

    [Fact]
    public async Task An_index_with_the_wrong_hash_is_refused()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Server.Misbehave(Misbehaviour.Corrupt, "binary-amd64");
        VirtigoException e = await Fails(FailureKind.Trust, () => FetchHello(archive));
        Assert.Contains("SHA-256", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_component_the_archive_lacks_is_named()
    {
        await using TestArchive archive = TestArchive.Start();
        using ArchiveClient client = archive.Client();
        ArchiveSuite suite = await client.OpenAsync(archive.Source, Token);
        VirtigoException e = await Fails(FailureKind.Archive, () => suite.PackagesAsync("contrib", "amd64", installer: false, Token));
        Assert.Contains("contrib/binary-amd64/Packages", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_file_is_remembered_and_named()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Server.Misbehave(Misbehaviour.Missing, "hello_1.0-1");
        VirtigoException e = await Fails(FailureKind.Archive, () => FetchHello(archive));
        Assert.Contains("Mirror file missing: " + archive.Server.Uri + "/pool/main/h/hello/hello_1.0-1_amd64.deb", e.Message, StringComparison.Ordinal);

        using ArchiveClient client = archive.Client();
        ArchiveSuite suite = await client.OpenAsync(archive.Source, Token);
        PackageEntry hello = (await suite.PackagesAsync("main", "amd64", installer: false, Token)).Find("hello")!;
        Assert.Equal([null], await suite.TryFetchPackagesAsync([hello], Token));
        Assert.Equal(1, client.UpstreamRequests);

        using ArchiveClient offline = archive.Client(options => options with { Offline = true });
        Assert.Equal([null], await (await offline.OpenAsync(archive.Source, Token)).TryFetchPackagesAsync([hello], Token));
        archive.Server.Behave();
        Assert.NotNull(await suite.FetchPackageAsync(hello, Token));
    }

    [Fact]
    public async Task What_one_mirror_lacks_spoils_or_refuses_comes_from_the_next()
    {
        await using TestArchive good = TestArchive.Start();
        foreach (Misbehaviour how in (Misbehaviour[])[Misbehaviour.Missing, Misbehaviour.Corrupt, Misbehaviour.Truncated,
            Misbehaviour.Forbidden, Misbehaviour.Unavailable, Misbehaviour.RedirectLoop])
        {
            await using TestArchive bad = TestArchive.Start();
            bad.Server.Misbehave(how, "hello_1.0-1");
            await FetchHello(bad, bad.Source with { OtherMirrors = [good.Server.Uri] });
        }

        await using TestArchive dead = TestArchive.Start();
        await dead.Server.RefuseAsync();
        await FetchHello(dead, dead.Source with { OtherMirrors = [good.Server.Uri] });
    }

    [Fact]
    public async Task Of_several_failures_the_one_of_trust_is_told()
    {
        await using TestArchive bad = TestArchive.Start();
        await using TestArchive dead = TestArchive.Start();
        await dead.Server.RefuseAsync();
        bad.Server.Misbehave(Misbehaviour.Corrupt, "hello_1.0-1");
        bad.Server.Misbehave(Misbehaviour.Corrupt, "InRelease", times: 0);
        await Fails(FailureKind.Trust, () => FetchHello(bad, bad.Source with { OtherMirrors = [dead.Server.Uri] }));
        await Fails(FailureKind.Trust, () => FetchHello(bad, bad.Source with { BaseUri = dead.Server.Uri, OtherMirrors = [bad.Server.Uri] }));
    }

    [Fact]
    public async Task Several_packages_come_in_parallel_with_null_for_the_missing()
    {
        await using TestArchive archive = TestArchive.Start([.. Enumerable.Range(0, 6).Select(i => new TestArchiveDeb($"p{i}"))]);
        archive.Server.Misbehave(Misbehaviour.Missing, "p3_");
        using ArchiveClient client = archive.Client();
        ArchiveSuite suite = await client.OpenAsync(archive.Source, Token);
        PackageIndex index = await suite.PackagesAsync("main", "amd64", installer: false, Token);

        IReadOnlyList<string?> paths = await suite.TryFetchPackagesAsync(index.All, Token);

        Assert.Equal([3], paths.Index().Where(path => path.Item is null).Select(path => path.Index));
        archive.Server.Misbehave(Misbehaviour.Corrupt, "p5_");
        client.Pool.Remove(index.Find("p5")!.Sha256);
        await Fails(FailureKind.Trust, () => suite.TryFetchPackagesAsync(index.All, Token));
    }

    [Fact]
    public async Task A_listed_file_of_the_suite_is_fetched_and_one_named_by_hash_only_as_well()
    {
        await using TestArchive archive = TestArchive.Start();
        byte[] sums = "sums"u8.ToArray();
        archive.AddSuiteFile("main/installer-amd64/current/images/SHA256SUMS", sums);
        archive.Server.Put("dists/trixie/main/installer-amd64/linux", sums);
        using ArchiveClient client = archive.Client();
        ArchiveSuite suite = await client.OpenAsync(archive.Source, Token);

        Assert.Equal(sums, await File.ReadAllBytesAsync(
            await suite.FetchIndexAsync("main/installer-amd64/current/images/SHA256SUMS", Token), Token));
        client.Pool.Remove(Convert.ToHexStringLower(SHA256.HashData(sums)));
        Assert.NotNull(await suite.TryFetchFileAsync(
            "dists/trixie/main/installer-amd64/linux", Convert.ToHexStringLower(SHA256.HashData(sums)), maxSize: 4, Token));
        client.Pool.Remove(Convert.ToHexStringLower(SHA256.HashData(sums)));
        await Fails(FailureKind.Trust, () => suite.TryFetchFileAsync(
            "dists/trixie/main/installer-amd64/linux", Convert.ToHexStringLower(SHA256.HashData(sums)), maxSize: 3, Token));
    }

    [Fact]
    public async Task A_local_mirror_is_read_without_a_network()
    {
        await using TestArchive archive = TestArchive.Start();
        string folder = TestArchiveTools.NewFolder();
        foreach (string path in (string[])["dists/trixie/InRelease", "dists/trixie/main/binary-amd64/Packages.xz", archive.Debs[0].Filename])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, path))!);
            await File.WriteAllBytesAsync(Path.Combine(folder, path), archive.Server.Get(path), Token);
        }

        await FetchHello(archive, archive.Source with { BaseUri = new Uri(folder) });
        Assert.Empty(archive.Server.Requests);
    }

    [Fact]
    public async Task Credentials_are_sent_but_never_shown()
    {
        await using TestArchive archive = TestArchive.Start();
        archive.Server.Misbehave(Misbehaviour.Missing, "hello_1.0-1");
        var shown = new List<string>();
        ArchiveSource source = archive.Source with { BaseUri = new UriBuilder(archive.Server.Uri) { UserName = "me", Password = "secret" }.Uri };
        VirtigoException e = await Fails(FailureKind.Archive, () => FetchHello(archive, source, options => options with
        {
            Progress = progress =>
            {
                lock (shown)
                {
                    shown.Add(progress.ToString());
                }
            },
        }));

        Assert.Equal("Basic bWU6c2VjcmV0", archive.Server.Requests[0].Headers["Authorization"]);
        Assert.NotEmpty(shown);
        Assert.DoesNotContain("secret", string.Concat(shown) + e, StringComparison.Ordinal);
        Assert.All(Directory.EnumerateFiles(archive.PoolDirectory, "*", SearchOption.AllDirectories),
            file => Assert.DoesNotContain("secret", File.ReadAllText(file), StringComparison.Ordinal));
    }

    private static async Task FetchHello(
        TestArchive archive, ArchiveSource? source = null, Func<ArchiveOptions, ArchiveOptions>? change = null)
    {
        using ArchiveClient client = archive.Client(change);
        ArchiveSuite suite = await client.OpenAsync(source ?? archive.Source, Token);
        PackageIndex index = await suite.PackagesAsync("main", "amd64", installer: false, Token);
        string path = await suite.FetchPackageAsync(index.Find("hello")!, Token);
        Assert.Equal(archive.Debs[0].Build(), await File.ReadAllBytesAsync(path, Token));
    }

    private static async Task<VirtigoException> Fails(FailureKind kind, Func<Task> action)
    {
        var e = await Assert.ThrowsAsync<VirtigoException>(action);
        Assert.True(kind == e.Kind, $"expected {kind}, got {e.Kind}: {e.Message}");
        return e;
    }
}
