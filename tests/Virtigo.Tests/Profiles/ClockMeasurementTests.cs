using System.Globalization;
using System.Text;
using CsCheck;
using Virtigo.Machines;
using Virtigo.Profiles;
using Xunit;

namespace Virtigo.Tests.Profiles;

/// <summary>A guest's clock is told with the error that the way there and back leaves.</summary>
public sealed class ClockMeasurementTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void The_true_offset_and_drift_are_within_the_error_whatever_the_ways_take() =>
        Gen.Select(Gen.Double[-1000, 1000], Gen.Double[-2000, 2000], Gen.Select(Gen.Double[0.0001, 0.3], Gen.Double[0.0001, 0.3]).Array[6, 40]).Sample((offset, drift, ways) =>
        {
            var samples = new List<ClockSample>();
            double now = 0;
            foreach ((double there, double back) in ways)
            {
                // The guest reads its clock when the question has come; the host takes the middle.
                double read = now + there, middle = now + ((there + back) / 2);
                samples.Add(new ClockSample(middle, read + offset + (read * drift / 1e6) - middle, (there + back) / 2));
                now += there + back + 0.2;
            }

            ClockMeasurement found = ClockMeasurement.Of(samples)!;
            const double tiny = 1e-6;
            double within = Math.Abs(drift) * now / 1e6;
            Assert.InRange(found.Offset - offset, -found.Error - within - tiny, found.Error + within + tiny);
            Assert.InRange(found.Drift!.Value - drift, -found.DriftError - 1, found.DriftError + 1);
        });

    [Fact]
    public void The_best_looks_count()
    {
        ClockMeasurement found = ClockMeasurement.Of(
        [
            new(0, 9, 5), new(1, 1, 0.001), new(2, 3, 2), new(3, 1, 0.0001), new(4, 1, 0.01), new(5, 1, 0.01), new(6, 9, 5), new(7, 1.006, 0.002), new(8, 9, 5),
        ])!;
        Assert.Equal((1.006, 0.002, 9, 8.0), (found.Offset, found.Error, found.Samples, found.Seconds));
        Assert.Equal((1000.0, 500.0), (Math.Round(found.Drift!.Value, 6), Math.Round(found.DriftError, 6)));
    }

    [Fact]
    public void Too_few_looks_give_no_drift_and_none_give_nothing()
    {
        Assert.Null(ClockMeasurement.Of([]));
        Assert.Null(ClockMeasurement.Of([new(0, 1, 0.1), new(9, 1, 0.1)])!.Drift);
        Assert.Null(ClockMeasurement.Of([.. Enumerable.Repeat(new ClockSample(3, 1, 0.1), 9)])!.Drift);
    }

    [Theory]
    [InlineData(0.4, 0.01, false)]
    [InlineData(1.1, 0.2, false)]
    [InlineData(1.1, 0.05, true)]
    [InlineData(-100, 3, true)]
    [InlineData(-100, 99.5, false)]
    public void A_clock_is_off_only_beyond_its_error(double offset, double error, bool off) =>
        Assert.Equal(off, new ClockMeasurement(offset, error, null, 0, 1, 0).IsOff);

    [Theory]
    [InlineData(400, 1, false)]
    [InlineData(-700, 100, true)]
    [InlineData(700, 300, false)]
    [InlineData(null, 0, false)]
    public void A_clock_drifts_only_beyond_its_error(int? drift, double error, bool drifts) =>
        Assert.Equal(drifts, new ClockMeasurement(0, 0, drift, error, 9, 9).Drifts);

    [Theory]
    [InlineData("1764224000.123456", 1764224000.123456)]
    [InlineData(" 1764224000,5\r", 1764224000.5)]
    [InlineData("1764224000.%N", null)]
    [InlineData("-5", null)]
    [InlineData("1e9", null)]
    [InlineData("999999999999", null)]
    [InlineData("NaN", null)]
    [InlineData("", null)]
    public void A_time_is_a_number_of_seconds(string said, double? seconds) => Assert.Equal(seconds, ClockMeter.Parse(said));

    [Fact]
    public void Anything_else_is_no_time() => Gen.String.Sample(said => Assert.True(ClockMeter.Parse(said) is null or (>= 0 and < 1e11)));

    [Fact]
    public async Task A_guest_that_is_ahead_and_too_fast_is_found_so()
    {
        TimeProvider clock = TimeProvider.System;
        (double began, long start) = ((clock.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds, clock.GetTimestamp());
        ClockMeasurement found = await MeasureAsync(() =>
        {
            double gone = clock.GetElapsedTime(start).TotalSeconds;
            return (began + gone + 100 + (gone * 0.002)).ToString("F7", CultureInfo.InvariantCulture) + "\n";
        }, TimeSpan.FromSeconds(2.5));
        const double between = 0.01;
        Assert.InRange(found.Offset - 100, -found.Error - between, found.Error + between);
        Assert.True(found is { IsOff: true, Drift: not null } && Math.Abs(found.Drift.Value - 2000) <= found.DriftError + 20, $"{found}");
    }

    [Theory]
    [InlineData("what?\n")]
    [InlineData("\u0000\u00ff\n")]
    [InlineData("99999999999999999999999999999999999999\n")]
    public async Task A_guest_that_tells_no_time_is_a_failure_by_name(string said)
    {
        VirtigoException failure = await Assert.ThrowsAsync<VirtigoException>(() => MeasureAsync(() => said, TimeSpan.FromSeconds(1)));
        Assert.Equal(FailureKind.Guest, failure.Kind);
    }

    [Fact]
    public async Task A_guest_whose_shell_ends_is_a_failure_by_name()
    {
        var meter = new ClockMeter((_, _, _) => Task.FromResult(new CommandResult(127, "", "", false, TimeSpan.Zero)), TimeProvider.System);
        VirtigoException failure = await Assert.ThrowsAsync<VirtigoException>(() => meter.MeasureAsync(TimeSpan.FromSeconds(1), Token));
        Assert.Equal((FailureKind.Guest, true), (failure.Kind, failure.Message.Contains("127", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_guest_that_speaks_without_end_and_unasked_costs_no_memory_and_has_no_error_below_nothing()
    {
        ClockMeasurement found = await MeasureAsync(() => "1764224000\n" + new string('7', 100_000) + "\n", TimeSpan.FromSeconds(1));
        Assert.True(found.Error >= 0, $"{found}");
    }

    private static Task<ClockMeasurement> MeasureAsync(Func<string> answer, TimeSpan time) => new ClockMeter(async (_, options, cancel) =>
    {
        byte[] question = new byte[1];
        while (await options.InputStream!.ReadAsync(question, cancel) > 0)
        {
            options.OnOutput!(Encoding.Latin1.GetBytes(answer()), false);
        }

        return new CommandResult(0, "", "", false, TimeSpan.Zero);
    }, TimeProvider.System).MeasureAsync(time, Token);
}
