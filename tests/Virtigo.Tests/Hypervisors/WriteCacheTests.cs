using CsCheck;
using Virtigo.Host;
using Virtigo.Hypervisors.Qemu.Nbd;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class WriteCacheTests
{
    private const int Size = 32 << 10;
    private const int Sector = 512;

    private static readonly Gen<(int Kind, int Offset, int Length, byte Fill)[]> s_steps =
        Gen.Select(Gen.Int[0, 9], Gen.Int[0, Size - 1], Gen.Int[1, 6000], Gen.Byte[1, 255], (kind, offset, length, fill) =>
            (kind, offset, Math.Min(length, Size - offset), fill)).Array[1, 40];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void What_is_read_is_what_was_written_last_and_a_power_cut_leaves_the_last_flush() =>
        s_steps.Sample(steps =>
        {
            var run = new ModelRun(WriteCache.DefaultLimit);
            run.Take(steps);

            run.Cache.LoseAll();

            Assert.Equal(run.Flushed, run.Disk.Bytes);
        }, time: 1);

    [Fact]
    public void A_full_cache_writes_its_oldest_first_and_stays_within_its_limit() =>
        s_steps.Sample(steps =>
        {
            var run = new ModelRun(12_000);
            run.Take(steps);

            run.Cache.LoseAll();

            byte[] disk = [.. run.Flushed];
            bool found = disk.AsSpan().SequenceEqual(run.Disk.Bytes);
            foreach (byte[] state in run.SinceFlush)
            {
                found |= state.AsSpan().SequenceEqual(run.Disk.Bytes);
            }

            Assert.True(found);
        }, time: 1);

    [Fact]
    public void Of_what_was_not_flushed_a_draw_leaves_versions_that_were_written_and_the_same_seed_the_same() =>
        Gen.Select(s_steps, Gen.ULong).Sample((steps, seed) =>
        {
            var run = new ModelRun(WriteCache.DefaultLimit);
            run.Take(steps);
            var again = new ModelRun(WriteCache.DefaultLimit);
            again.Take(steps);

            Run(run.Cache.LoseSomeAsync(new SeededRandom(seed), Token));
            Run(again.Cache.LoseSomeAsync(new SeededRandom(seed), Token));

            Assert.Equal(run.Disk.Bytes, again.Disk.Bytes);
            for (int place = 0; place < Size; place++)
            {
                byte left = run.Disk.Bytes[place];
                Assert.True(left == run.Flushed[place] || run.SinceFlush.Any(state => state[place] == left), $"byte {place}");
            }
        }, time: 1);

    [Fact]
    public void Draws_lose_all_some_or_nothing_in_any_order_and_tear_between_sectors()
    {
        var kept = new HashSet<string>();
        for (ulong seed = 0; seed < 300; seed++)
        {
            var disk = new MemoryStore(Size);
            var cache = new WriteCache(disk);
            Run(cache.WriteAsync(0, Filled(4 * Sector, 1), Token));
            Run(cache.WriteAsync(8 * Sector, Filled(Sector, 2), Token));
            Run(cache.LoseSomeAsync(new SeededRandom(seed), Token));

            int first = disk.Bytes.AsSpan(0, 4 * Sector).Count((byte)1);
            Assert.Equal(0, first % Sector);
            Assert.All(disk.Bytes.Take(first), left => Assert.Equal(1, left));
            kept.Add($"{first / Sector} {disk.Bytes[8 * Sector] / 2}");
        }

        Assert.True(kept.IsSupersetOf(["0 0", "0 1", "4 0", "4 1"]), string.Join(", ", kept));
        Assert.True(kept.Overlaps(["1 0", "1 1", "2 0", "2 1", "3 0", "3 1"]));
    }

    [Fact]
    public void What_was_flushed_survives_every_draw()
    {
        for (ulong seed = 0; seed < 50; seed++)
        {
            var disk = new MemoryStore(Size);
            var cache = new WriteCache(disk);
            Run(cache.WriteAsync(0, Filled(4096, 1), Token));
            Run(cache.FlushAsync(Token));
            Run(cache.WriteAsync(8192, Filled(4096, 2), Token));
            Run(cache.LoseSomeAsync(new SeededRandom(seed), Token));

            Assert.All(disk.Bytes.Take(4096), left => Assert.Equal(1, left));
        }
    }

    [Fact]
    public void A_flush_that_fails_is_told_and_can_be_tried_again()
    {
        var disk = new MemoryStore(Size) { Full = true };
        var cache = new WriteCache(disk);
        Run(cache.WriteAsync(100, Filled(5000, 7), Token));
        Assert.Throws<NbdException>(() => Run(cache.FlushAsync(Token)));
        byte[] read = new byte[5000];
        Run(cache.ReadAsync(100, read, Token));
        Assert.Equal(Filled(5000, 7), read);

        disk.Full = false;
        Run(cache.FlushAsync(Token));

        Assert.Equal(Filled(5000, 7), disk.Bytes.Skip(100).Take(5000));
        Assert.Equal((0, 0L, 1), (cache.Count, cache.Held, disk.Flushes));
    }

    [Fact]
    public void Many_small_writes_are_bounded_by_their_number_and_many_zeros_cost_nothing()
    {
        var disk = new MemoryStore(Size);
        var cache = new WriteCache(disk);
        for (int each = 0; each < (2 * WriteCache.MaxWrites) + 10; each++)
        {
            Run(cache.ZeroAsync(each % Size, 1, Token));
            Assert.InRange(cache.Count, 1, WriteCache.MaxWrites);
        }

        Assert.Equal(0, cache.Held);
    }

    private static byte[] Filled(int length, byte fill)
    {
        byte[] data = new byte[length];
        data.AsSpan().Fill(fill);
        return data;
    }

    // Everything in memory is done when it returns.
    private static void Run(Task done)
    {
        Assert.True(done.IsCompleted);
        done.GetAwaiter().GetResult();
    }

    private sealed class ModelRun
    {
        private readonly byte[] _now = new byte[Size];
        private readonly long _limit;

        public ModelRun(long limit) => (_limit, Cache) = (limit, new WriteCache(Disk, limit));

        public MemoryStore Disk { get; } = new(Size);

        public WriteCache Cache { get; }

        /// <summary>The disk at its last flush.</summary>
        public byte[] Flushed { get; private set; } = new byte[Size];

        /// <summary>The disk after each write since then.</summary>
        public List<byte[]> SinceFlush { get; } = [];

        public void Take((int Kind, int Offset, int Length, byte Fill)[] steps)
        {
            foreach ((int kind, int offset, int length, byte fill) in steps)
            {
                switch (kind)
                {
                    case 0:
                        Run(Cache.FlushAsync(Token));
                        Assert.Equal(_now, Disk.Bytes);
                        Flushed = [.. _now];
                        SinceFlush.Clear();
                        break;
                    case 1 or 2:
                        byte[] read = new byte[length];
                        Run(Cache.ReadAsync(offset, read, Token));
                        Assert.True(_now.AsSpan(offset, length).SequenceEqual(read));
                        break;
                    default:
                        Write(kind == 3 ? (byte)0 : fill, kind == 3, offset, length);
                        break;
                }

                Assert.InRange(Cache.Held, 0, _limit);
            }
        }

        private void Write(byte fill, bool zero, int offset, int length)
        {
            Run(zero ? Cache.ZeroAsync(offset, length, Token) : Cache.WriteAsync(offset, Filled(length, fill), Token));
            _now.AsSpan(offset, length).Fill(fill);
            SinceFlush.Add([.. _now]);
        }
    }
}
