using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Host;

public sealed class FileLockTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("virtigo-test-").FullName;

    private string LockFile => Path.Combine(_root, "folder", "a.lock");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_lock_has_one_owner_at_a_time()
    {
        using (FileLock? one = FileLock.TryAcquire(LockFile))
        {
            Assert.NotNull(one);
            Assert.Null(FileLock.TryAcquire(LockFile));
        }

        using FileLock? two = FileLock.TryAcquire(LockFile);
        Assert.NotNull(two);
    }

    [Fact]
    public async Task Sharers_keep_an_exclusive_owner_out_until_the_last_is_gone()
    {
        FileLock one = await FileLock.AcquireSharedAsync(LockFile, TestContext.Current.CancellationToken);
        FileLock two = await FileLock.AcquireSharedAsync(LockFile, TestContext.Current.CancellationToken);
        one.Dispose();
        one.Dispose();
        Assert.Null(FileLock.TryAcquire(LockFile));
        two.Dispose();
        using FileLock? free = FileLock.TryAcquire(LockFile);
        Assert.NotNull(free);
    }

    [Fact]
    public async Task A_waiter_gets_the_lock_when_it_is_freed_and_says_that_it_waits()
    {
        FileLock one = FileLock.TryAcquire(LockFile)!;
        int waits = 0;
        Task<FileLock> two = FileLock.AcquireAsync(LockFile, () => waits++, TestContext.Current.CancellationToken);
        Assert.False(two.IsCompleted);
        Assert.Equal(1, waits);
        one.Dispose();
        (await two).Dispose();
    }

    [Fact]
    public async Task A_waiter_that_gave_up_does_not_keep_the_lock()
    {
        FileLock one = FileLock.TryAcquire(LockFile)!;
        using var giveUp = new CancellationTokenSource();
        Task<FileLock> two = FileLock.AcquireAsync(LockFile, null, giveUp.Token);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => two);
        one.Dispose();
        (await FileLock.AcquireAsync(LockFile, null, TestContext.Current.CancellationToken)).Dispose();
    }

    [Fact]
    public async Task Only_one_of_many_is_inside_at_any_time()
    {
        int inside = 0;
        int most = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 10; i++)
            {
                using FileLock held = await FileLock.AcquireAsync(LockFile, null, TestContext.Current.CancellationToken);
                most = Math.Max(most, Interlocked.Increment(ref inside));
                await Task.Yield();
                Interlocked.Decrement(ref inside);
            }
        })));
        Assert.Equal(1, most);
    }
}
