using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class ImageRemovalTests : IDisposable
{
    private readonly TestStore _test = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task A_removed_image_is_gone_with_all_its_files()
    {
        StoredImage image = await _test.SealAsync("a");
        await _test.Store.RemoveAsync(image.Key, Token);
        Assert.False(Directory.Exists(image.Directory));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_test.Paths.Work));
        Assert.Equal(FailureKind.Usage, (await Assert.ThrowsAsync<VirtigoException>(() => _test.Store.RemoveAsync(image.Key, Token))).Kind);
    }

    [Fact]
    public async Task A_broken_image_can_be_removed_by_the_beginning_of_its_key()
    {
        StoredImage image = await _test.SealAsync("a");
        File.Delete(image.DiskPath);
        await _test.Store.RemoveAsync(_test.Store.FindKey(image.Key[..8]), Token);
        Assert.Empty(_test.Store.List().Broken);
    }

    [Fact]
    public async Task An_image_in_use_stays_until_its_last_user_is_gone()
    {
        StoredImage image = await _test.SealAsync("a");
        ImageLease one = await _test.Store.LeaseAsync(image, Token);
        ImageLease two = await new ImageStore(_test.Paths).LeaseAsync(image, Token);
        one.Dispose();
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => _test.Store.RemoveAsync(image.Key, Token));
        Assert.Contains("in use", error.Message, StringComparison.Ordinal);
        Assert.True(File.Exists(image.DiskPath));
        two.Dispose();
        await _test.Store.RemoveAsync(image.Key, Token);
    }

    [Fact]
    public async Task An_image_that_was_removed_cannot_be_used_any_more()
    {
        StoredImage image = await _test.SealAsync("a");
        await _test.Store.RemoveAsync(image.Key, Token);
        await Assert.ThrowsAsync<VirtigoException>(() => _test.Store.LeaseAsync(image, Token));
    }

    [Theory]
    [InlineData(1, null, "a3 a5 b2")]
    [InlineData(2, null, "a5")]
    [InlineData(0, null, "a1 a3 a5 b0 b2")]
    [InlineData(null, 3, "a3 a5")]
    [InlineData(2, 3, "a5")]
    [InlineData(1, 4, "a5")]
    [InlineData(0, 6, "")]
    public async Task Pruning_removes_what_every_rule_names(int? keep, int? days, string expected)
    {
        await SealSomeAsync();
        PruneRules rules = new() { KeepNewest = keep, OlderThan = days is { } d ? TimeSpan.FromDays(d) : null };

        PruneResult planned = await _test.Store.PruneAsync(rules with { DryRun = true }, Token);
        Assert.Equal(expected, Describe(planned.Removed));
        Assert.Equal(5, _test.Store.List().Images.Count);

        PruneResult done = await _test.Store.PruneAsync(rules, Token);
        Assert.Equal(expected, Describe(done.Removed));
        Assert.Equal(5 - done.Removed.Count, _test.Store.List().Images.Count);
        Assert.Equal(planned.FreedBytes, done.FreedBytes);
        Assert.Equal(done.Removed.Count > 0, done.FreedBytes > 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Pruning_keeps_and_names_what_is_in_use(bool dryRun)
    {
        await SealSomeAsync();
        StoredImage used = _test.Store.List().Images.Single(image => Describe([image]) == "a5");
        using ImageLease lease = await _test.Store.LeaseAsync(used, Token);
        PruneResult result = await _test.Store.PruneAsync(new PruneRules { KeepNewest = 1, DryRun = dryRun }, Token);
        Assert.Equal("a3 b2", Describe(result.Removed));
        Assert.Equal("a5", Describe(result.InUse));
        Assert.NotNull(_test.Store.TryGet(used.Key));
    }

    [Fact]
    public async Task Pruning_forgets_the_builds_whose_image_is_gone()
    {
        StoredImage image = await _test.SealAsync("a");
        await _test.Store.RememberAsync(new RememberedBuild(TestStore.KeyOf("plan"), image.Key, [], TestStore.Today), Token);
        await _test.Store.PruneAsync(new PruneRules { KeepNewest = 1 }, Token);
        Assert.Single(Directory.EnumerateFiles(_test.Paths.Builds));
        await _test.Store.PruneAsync(new PruneRules { KeepNewest = 0 }, Token);
        Assert.Empty(Directory.EnumerateFiles(_test.Paths.Builds));
    }

    [Fact]
    public async Task Pruning_without_a_rule_removes_nothing()
    {
        await _test.SealAsync("a");
        await Assert.ThrowsAsync<VirtigoException>(() => _test.Store.PruneAsync(new PruneRules(), Token));
        await Assert.ThrowsAsync<VirtigoException>(() => _test.Store.PruneAsync(new PruneRules { KeepNewest = -1 }, Token));
        Assert.Single(_test.Store.List().Images);
    }

    // Named by appliance and age in days.
    private static string Describe(IEnumerable<StoredImage> images) =>
        string.Join(' ', images.Select(image => $"{image.Name}{(TestStore.Today - image.Manifest.Created).Days}").Order(StringComparer.Ordinal));

    private async Task SealSomeAsync()
    {
        foreach ((string name, int age) in new[] { ("a", 1), ("a", 3), ("a", 5), ("b", 0), ("b", 2) })
        {
            await _test.SealAsync(name + age, name, TimeSpan.FromDays(age));
        }
    }
}
