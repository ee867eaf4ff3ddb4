using Microsoft.Extensions.Time.Testing;
using Virtigo.Appliances;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class BuildLimitsTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void A_build_without_limits_goes_on()
    {
        using var limits = new BuildLimits(new BuildOptions(), _clock, CancellationToken.None);
        limits.Gave(long.MaxValue / 2);
        _clock.Advance(TimeSpan.FromDays(30));

        Assert.False(limits.Token.IsCancellationRequested);
        Assert.Null(limits.Passed);
    }

    [Fact]
    public async Task More_traffic_than_may_be_ends_it()
    {
        using var limits = new BuildLimits(new BuildOptions { TrafficLimit = 100 << 20 }, _clock, CancellationToken.None);
        limits.Gave(100 << 20);
        Assert.False(limits.Token.IsCancellationRequested);

        limits.Gave(1);
        await Task.Delay(Timeout.Infinite, limits.Token).ContinueWith(_ => { }, TaskScheduler.Default);

        Assert.Equal(FailureKind.Install, limits.Passed!.Kind);
        Assert.Contains("100 MiB", limits.Passed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_time_than_may_be_ends_it()
    {
        using var limits = new BuildLimits(new BuildOptions { TimeLimit = TimeSpan.FromMinutes(90) }, _clock, CancellationToken.None);
        _clock.Advance(TimeSpan.FromMinutes(91));

        Assert.True(limits.Token.IsCancellationRequested);
        Assert.Equal(FailureKind.TimedOut, limits.Passed!.Kind);
        Assert.Contains("90 minutes", limits.Passed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Somebody_who_ends_it_passes_no_limit()
    {
        using var ended = new CancellationTokenSource();
        using var limits = new BuildLimits(new BuildOptions { TimeLimit = TimeSpan.FromMinutes(90), TrafficLimit = 1 }, _clock, ended.Token);
        ended.Cancel();

        Assert.True(limits.Token.IsCancellationRequested);
        Assert.Null(limits.Passed);
    }
}
