namespace Virtigo.GuestTests.Hypervisors;

/// <summary>A clock by which waits end early: what would take a boot of many minutes is seen in seconds.</summary>
internal sealed class HurriedClock : TimeProvider
{
    /// <summary>How many times faster it runs; waits that have begun keep their speed.</summary>
    public int Times { get; set; } = 1;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        base.CreateTimer(callback, state, Hurry(dueTime), Hurry(period));

    private TimeSpan Hurry(TimeSpan time) => time == Timeout.InfiniteTimeSpan ? time : time / Times;
}
