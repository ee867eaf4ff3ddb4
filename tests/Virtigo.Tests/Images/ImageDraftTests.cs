using System.Diagnostics;
using Virtigo.Host;
using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

public sealed class ImageDraftTests : IDisposable
{
    private readonly TestStore _test = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task A_draft_that_is_not_sealed_leaves_nothing()
    {
        await using (ImageDraft draft = await _test.BeginAsync("a"))
        {
            await File.WriteAllTextAsync(Path.Combine(draft.Directory, "syslog"), "half", Token);
            Assert.Empty(_test.Store.List().Images);
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(_test.Paths.Work));
        Assert.Empty(_test.Store.List().Broken);
    }

    [Fact]
    public async Task A_sealed_draft_keeps_its_files_read_only_and_readable_by_its_owner_only()
    {
        StoredImage image;
        await using (ImageDraft draft = await _test.BeginAsync("a"))
        {
            await File.WriteAllBytesAsync(draft.DiskPath, TestStore.Header(8 << 20), Token);
            await File.WriteAllTextAsync(Path.Combine(draft.Directory, "syslog"), "all", Token);
            image = await draft.SealAsync(TestStore.Manifest(draft.Key, disk: await draft.MeasureDiskAsync(Token)), Token);
            await Assert.ThrowsAsync<InvalidOperationException>(() => draft.SealAsync(image.Manifest, Token));
        }

        Assert.Equal("all", await File.ReadAllTextAsync(Path.Combine(image.Directory, "syslog"), Token));
        Assert.All(Directory.EnumerateFiles(image.Directory), file => Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(file)));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(image.Directory));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_test.Paths.Work));
    }

    [Fact]
    public async Task A_manifest_of_another_image_is_refused()
    {
        await using ImageDraft draft = await _test.BeginAsync("a");
        await Assert.ThrowsAsync<ArgumentException>(() => draft.SealAsync(TestStore.Manifest(TestStore.KeyOf("b")), Token));
    }

    [Theory]
    [InlineData(4096UL, 0UL)]
    [InlineData(0UL, 4UL)]
    public async Task A_disk_that_needs_another_file_cannot_be_sealed(ulong backing, ulong incompatible)
    {
        await using ImageDraft draft = await _test.BeginAsync("a");
        await File.WriteAllBytesAsync(draft.DiskPath, TestStore.Header(8 << 20, backing, incompatible), Token);
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => draft.MeasureDiskAsync(Token));
        Assert.Contains("stand alone", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_builds_of_the_same_thing_cost_one_install()
    {
        int installs = 0;
        int waited = 0;
        async Task<StoredImage> BuildAsync()
        {
            var store = new ImageStore(_test.Paths);
            await using ImageDraft? draft = await store.BeginAsync(TestStore.KeyOf("a"), () => Interlocked.Increment(ref waited), cancellationToken: Token);
            if (draft is null)
            {
                return store.TryGet(TestStore.KeyOf("a"))!;
            }

            Interlocked.Increment(ref installs);
            await Task.Delay(50, Token);
            await File.WriteAllBytesAsync(draft.DiskPath, TestStore.Header(8 << 20), Token);
            return await draft.SealAsync(TestStore.Manifest(draft.Key, disk: await draft.MeasureDiskAsync(Token)), Token);
        }

        StoredImage[] images = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(BuildAsync)));
        Assert.Equal(1, installs);
        Assert.InRange(waited, 1, 3);
        Assert.All(images, image => Assert.True(File.Exists(image.DiskPath)));
    }

    [Fact]
    public async Task Different_images_are_built_side_by_side()
    {
        await using ImageDraft one = await _test.BeginAsync("a");
        await using ImageDraft two = await _test.BeginAsync("b");
        Assert.NotEqual(one.Directory, two.Directory);
        Assert.True(Directory.Exists(one.Directory));
    }

    [Fact]
    public async Task A_wait_for_another_build_can_be_given_up()
    {
        await using ImageDraft first = await _test.BeginAsync("a");
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(Token);
        Task second = _test.Store.BeginAsync(TestStore.KeyOf("a"), giveUp.Cancel, cancellationToken: giveUp.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
    }

    [Fact]
    public async Task A_killed_build_leaves_no_trace_and_lets_the_next_one_in()
    {
        string key = TestStore.KeyOf("a");
        string folder = Path.Combine(_test.Paths.Work, "draft-killed");
        Directory.CreateDirectory(folder);
        Directory.CreateDirectory(_test.Paths.Locks);
        await File.WriteAllTextAsync(Path.Combine(folder, "disk.qcow2"), "half a disk", Token);

        // Another process that holds what a build holds: its turn and its work folder.
        string script = $"exec 8>'{_test.Paths.Locks}/{key}.build' 9>'{folder}.lock'; flock -x 8; flock -x 9; echo held; read -r _";
        using Process builder = Process.Start(new ProcessStartInfo("bash", ["-c", script])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        Assert.Equal("held", await builder.StandardOutput.ReadLineAsync(Token));
        Assert.Equal(0, WorkFolder.Sweep(_test.Paths));

        var waits = new TaskCompletionSource();
        Task<ImageDraft?> next = _test.Store.BeginAsync(key, waits.SetResult, cancellationToken: Token);
        await waits.Task.WaitAsync(Token);
        Assert.False(next.IsCompleted);
        builder.Kill();
        await using (ImageDraft? draft = await next)
        {
            Assert.NotNull(draft);
            Assert.False(Directory.Exists(folder));
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(_test.Paths.Work));
        Assert.Empty(_test.Store.List().Broken);
    }

    [Fact]
    public async Task A_store_that_cannot_be_written_to_is_named()
    {
        await File.WriteAllTextAsync(_test.Paths.Data, "a file where the folder should be", Token);
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => _test.BeginAsync("a"));
        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains(_test.Paths.Work, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_sees_the_whole_image_or_none()
    {
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Token);
        int seen = 0;
        Task reader = Task.Run(
            () =>
            {
                while (!done.IsCancellationRequested)
                {
                    ImageListing all = _test.Store.List();
                    Assert.Empty(all.Broken);
                    seen = all.Images.Count;
                }
            },
            Token);
        for (int i = 0; i < 15; i++)
        {
            StoredImage image = await _test.SealAsync($"s{i}");
            if (i % 3 == 0)
            {
                await _test.Store.RemoveAsync(image.Key, Token);
            }
        }

        Assert.Equal(10, _test.Store.List().Images.Count);
        await done.CancelAsync();
        await reader;
        Assert.InRange(seen, 0, 10);
    }
}
