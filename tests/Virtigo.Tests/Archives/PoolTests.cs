using System.Security.Cryptography;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class PoolTests
{
    private readonly Pool _pool = new(TestArchiveTools.NewFolder());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_file_is_found_by_its_hash_once_added()
    {
        byte[] content = "content"u8.ToArray();
        string hash = Hash(content);
        Assert.Null(_pool.Find(hash));

        string path = await _pool.AddAsync(hash, (file, token) => file.WriteAsync(content, token).AsTask(), Token);

        Assert.Equal(path, _pool.Find(hash));
        Assert.Equal(content, await File.ReadAllBytesAsync(path, Token));
        Assert.Equal(hash, await _pool.AddAsync(content, Token));
        _pool.Remove(hash);
        Assert.Null(_pool.Find(hash));
    }

    [Fact]
    public async Task Content_of_another_hash_is_discarded_with_both_hashes_named()
    {
        string expected = Hash("right"u8);
        var e = await Assert.ThrowsAsync<VirtigoException>(() =>
            _pool.AddAsync(expected, (file, token) => file.WriteAsync("wrong"u8.ToArray(), token).AsTask(), Token));

        Assert.Equal(FailureKind.Trust, e.Kind);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.Contains(Hash("wrong"u8), e.Message, StringComparison.Ordinal);
        Assert.Null(_pool.Find(expected));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(_pool.Directory, "partial")));
    }

    [Fact]
    public async Task Of_many_that_add_the_same_file_at_once_one_does_the_work()
    {
        byte[] content = RandomNumberGenerator.GetBytes(100_000);
        string hash = Hash(content);
        int fills = 0;
        string[] paths = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => new Pool(_pool.Directory).AddAsync(hash, async (file, token) =>
        {
            Interlocked.Increment(ref fills);
            await file.WriteAsync(content.AsMemory(0, 50_000), token);
            await Task.Yield();
            await file.WriteAsync(content.AsMemory(50_000), token);
        }, Token))));

        Assert.Equal(1, fills);
        Assert.Single(paths.Distinct());
        Assert.Equal(content, await File.ReadAllBytesAsync(paths[0], Token));
    }

    [Fact]
    public async Task What_was_written_before_an_interruption_is_there_for_the_next_attempt()
    {
        string hash = Hash("first second"u8);
        await Assert.ThrowsAsync<IOException>(() => _pool.AddAsync(hash, "x", resume: true, async (file, token) =>
        {
            await file.WriteAsync("first"u8.ToArray(), token);
            throw new IOException("gone");
        }, Token));

        string path = await _pool.AddAsync(hash, "x", resume: true, (file, token) =>
        {
            Assert.Equal(5, file.Position);
            return file.WriteAsync(" second"u8.ToArray(), token).AsTask();
        }, Token);
        Assert.Equal("first second", await File.ReadAllTextAsync(path, Token));
    }

    [Fact]
    public async Task A_cancelled_attempt_leaves_the_pool_as_it_was()
    {
        string hash = Hash("never"u8);
        using var stop = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _pool.AddAsync(hash, async (file, token) =>
        {
            await file.WriteAsync("never"u8.ToArray(), token);
            await stop.CancelAsync();
            token.ThrowIfCancellationRequested();
        }, stop.Token));
        Assert.Null(_pool.Find(hash));
    }

    [Theory]
    [InlineData("../../../etc/passwd")]
    [InlineData("0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF")]
    [InlineData("")]
    public void What_is_no_hash_has_no_place(string text) => Assert.Throws<ArgumentException>(() => _pool.PathOf(text));

    private static string Hash(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content));
}
