using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class ImageStoreTests : IDisposable
{
    private readonly TestStore _test = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _test.Dispose();

    [Fact]
    public void A_store_that_was_never_used_is_empty_and_says_how_to_begin()
    {
        Assert.Empty(_test.Store.List().Images);
        Assert.Null(_test.Store.TryGet(TestStore.KeyOf("a")));
        VirtigoException error = Assert.Throws<VirtigoException>(() => _test.Store.Find("web"));
        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.Contains("virtigo build", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_sealed_image_is_found_by_key_name_and_prefix()
    {
        StoredImage image = await _test.SealAsync("a");
        Assert.Equal(image.Key, _test.Store.TryGet(image.Key)?.Key);
        Assert.Equal(image.Key, _test.Store.Find("web").Key);
        Assert.Equal(image.Key, _test.Store.Find(image.Key[..4]).Key);
        Assert.Equal(image.Key, _test.Store.FindKey(image.Key).ToString());
        Assert.Equal("packages: [nginx]\n", _test.Store.Find("web").Manifest.Spec);
    }

    [Fact]
    public async Task An_image_is_proven_on_each_hypervisor_once_and_the_newest_proof_counts()
    {
        StoredImage image = await _test.SealAsync("a");
        ImageProof made = Assert.Single(image.Manifest.Proofs);
        Assert.Equal((image.Manifest.Hypervisor, image.Manifest.BootTest.SecondsToMultiUser), (made.Hypervisor, made.SecondsToMultiUser));

        var uml = new ImageHypervisor("uml", "User-Mode Linux 6.1", "ptrace");
        await _test.Store.RecordProofAsync(image, new ImageProof(uml, 20, TestStore.Today), TestContext.Current.CancellationToken);
        await _test.Store.RecordProofAsync(image, new ImageProof(uml with { Version = "6.2" }, 18, TestStore.Today), TestContext.Current.CancellationToken);

        Assert.Equal([made, new ImageProof(uml with { Version = "6.2" }, 18, TestStore.Today)], _test.Store.Find("web").Manifest.Proofs);
    }

    [Fact]
    public async Task A_proof_of_an_image_that_is_gone_is_refused()
    {
        StoredImage image = await _test.SealAsync("a");
        await _test.Store.RemoveAsync(image.Key, TestContext.Current.CancellationToken);

        Assert.Equal(FailureKind.Usage, (await Assert.ThrowsAsync<VirtigoException>(() =>
            _test.Store.RecordProofAsync(image, image.Manifest.Proofs[0], TestContext.Current.CancellationToken))).Kind);
    }

    [Fact]
    public async Task The_newest_image_of_a_name_is_meant()
    {
        await _test.SealAsync("old", age: TimeSpan.FromDays(2));
        StoredImage newest = await _test.SealAsync("new");
        await _test.SealAsync("middle", age: TimeSpan.FromDays(1));
        Assert.Equal(newest.Key, _test.Store.Find("web").Key);
        Assert.Equal([0, 1, 2], _test.Store.List().Images.Select(image => (TestStore.Today - image.Manifest.Created).Days));
    }

    [Fact]
    public async Task A_prefix_of_several_keys_is_refused_with_their_number()
    {
        string[] seeds = [.. Enumerable.Range(0, 100_000).Select(i => $"s{i}")
            .GroupBy(seed => TestStore.KeyOf(seed)[..4]).First(group => group.Count() > 1).Take(2)];
        foreach (string seed in seeds)
        {
            await _test.SealAsync(seed);
        }

        VirtigoException error = Assert.Throws<VirtigoException>(() => _test.Store.Find(TestStore.KeyOf(seeds[0])[..4]));
        Assert.Contains("2 images", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("wbe", "web")]
    [InlineData("webb", "web")]
    [InlineData("mailserv", "mailserver")]
    public async Task A_misspelt_name_is_answered_with_the_near_one(string written, string meant)
    {
        await _test.SealAsync("a");
        await _test.SealAsync("b", "mailserver");
        Assert.Equal($"Did you mean {meant}?", Assert.Throws<VirtigoException>(() => _test.Store.Find(written)).Hint);
    }

    [Theory]
    [InlineData("../../../../etc/passwd")]
    [InlineData("")]
    [InlineData("ABCDEF")]
    public void What_is_not_a_key_never_becomes_a_path(string key)
    {
        Assert.Throws<ArgumentException>(() => _test.Store.TryGet(key));
        Assert.Throws<VirtigoException>(() => _test.Store.Find(key));
    }

    [Fact]
    public async Task A_broken_image_is_listed_as_such_and_hides_no_other()
    {
        StoredImage good = await _test.SealAsync("good");
        StoredImage truncated = await _test.SealAsync("truncated");
        StoredImage diskless = await _test.SealAsync("diskless");
        StoredImage cut = await _test.SealAsync("cut");
        Overwrite(truncated, "{\"schema\": 1, \"name\": \"we");
        File.Delete(diskless.DiskPath);
        File.SetUnixFileMode(cut.DiskPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllBytesAsync(cut.DiskPath, TestStore.Header(8 << 20)[..50], Token);
        Directory.CreateDirectory(Path.Combine(_test.Paths.Images, "lost+found"));

        ImageListing all = _test.Store.List();
        Assert.Equal(good.Key, Assert.Single(all.Images).Key);
        Assert.Equal(3, all.Broken.Count);
        Assert.Contains(all.Broken, image => image.Key == truncated.Key && image.Problem.Contains("damaged", StringComparison.Ordinal));
        Assert.Contains(all.Broken, image => image.Key == diskless.Key && image.Problem == "the disk is missing");
        Assert.Contains(all.Broken, image => image.Key == cut.Key && image.Problem == "the disk has 50 bytes instead of 104");
        Assert.Null(_test.Store.TryGet(truncated.Key));
        VirtigoException error = Assert.Throws<VirtigoException>(() => _test.Store.Find(truncated.Key[..12]));
        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains("virtigo images rm", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broken_image_is_replaced_by_building_it_again()
    {
        Overwrite(await _test.SealAsync("a"), "");
        Assert.Empty(_test.Store.List().Images);
        StoredImage again = await _test.SealAsync("a");
        Assert.NotNull(_test.Store.TryGet(again.Key));
        Assert.Empty(_test.Store.List().Broken);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_test.Paths.Work));
    }

    [Fact]
    public async Task A_remembered_build_is_found_until_its_image_is_gone()
    {
        StoredImage image = await _test.SealAsync("a");
        string plan = TestStore.KeyOf("plan");
        Assert.Null(_test.Store.Lookup(plan));
        var release = new RememberedRelease("http://mirror.example/debian", "trixie", TestStore.KeyOf("release"));
        await _test.Store.RememberAsync(new RememberedBuild(plan, image.Key, [release], TestStore.Today), Token);

        RememberedBuild? found = new ImageStore(_test.Paths).Lookup(plan);
        Assert.Equal(image.Key, found?.ImageKey);
        Assert.Equal(release, Assert.Single(found!.Releases));
        Assert.Equal(TestStore.Today, found.CheckedAt);
        await _test.Store.RemoveAsync(image.Key, Token);
        Assert.Null(_test.Store.Lookup(plan));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"fingerprint\":null,\"imageKey\":\"../..\",\"releases\":[],\"checkedAt\":\"2030-01-01T00:00:00Z\"}")]
    public void A_damaged_memory_is_no_memory(string content)
    {
        string plan = TestStore.KeyOf("plan");
        Directory.CreateDirectory(_test.Paths.Builds);
        File.WriteAllText(Path.Combine(_test.Paths.Builds, plan + ".json"), content);
        Assert.Null(_test.Store.Lookup(plan));
    }

    [Fact]
    public async Task Getting_a_cached_image_takes_less_than_five_milliseconds()
    {
        StoredImage image;
        await using (ImageDraft draft = await _test.BeginAsync("a"))
        {
            await File.WriteAllBytesAsync(draft.DiskPath, TestStore.Header(8 << 20), Token);
            ImageManifest manifest = TestStore.Manifest(draft.Key, disk: await draft.MeasureDiskAsync(Token)) with
            {
                Packages = [.. Enumerable.Range(0, 500).Select(i => new ImagePackage($"package-{i}", "1.0-1", "amd64"))],
                Materials = [.. Enumerable.Range(0, 700).Select(i =>
                    new ImageMaterial($"http://mirror.example/debian/pool/{i}.deb", TestStore.KeyOf("x"), i, "packages:trixie"))],
            };
            image = await draft.SealAsync(manifest, Token);
        }

        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < 20; i++)
        {
            long start = TimeProvider.System.GetTimestamp();
            Assert.NotNull(_test.Store.TryGet(image.Key));
            TimeSpan took = TimeProvider.System.GetElapsedTime(start);
            best = took < best ? took : best;
        }

        Assert.True(best < TimeSpan.FromMilliseconds(5), $"took {best.TotalMilliseconds} ms");
    }

    private static void Overwrite(StoredImage image, string manifest)
    {
        string path = Path.Combine(image.Directory, "manifest.json");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(path, manifest);
    }
}
