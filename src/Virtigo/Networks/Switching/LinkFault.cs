namespace Virtigo.Networks;

/// <summary>
/// What a link does to the frames of one direction. The default value does nothing. Chances are drawn from the environment's seed: the same
/// frames on the same link meet the same fate.
/// </summary>
public sealed record LinkFault
{
    /// <summary>The longest <see cref="Delay"/> and <see cref="Jitter"/>.</summary>
    public static readonly TimeSpan MaximumDelay = TimeSpan.FromMinutes(10);

    /// <summary>The smallest <see cref="BytesPerSecond"/>.</summary>
    public const long MinimumRate = 100;

    /// <summary>How much later each frame arrives: 0 to 10 minutes, kept to about a millisecond.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: outside the range.</exception>
    public TimeSpan Delay { get; init => field = Time(value, "delay"); }

    /// <summary>The most by which the delay of a frame is longer or shorter, evenly spread: 0 to 10 minutes. Frames keep their order.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: outside the range.</exception>
    public TimeSpan Jitter { get; init => field = Time(value, "jitter"); }

    /// <summary>The chance of a frame to be lost, 0 to 1.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: outside the range.</exception>
    public double Loss { get; init => field = Chance(value, "loss"); }

    /// <summary>The chance of a frame to arrive twice, 0 to 1.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: outside the range.</exception>
    public double Duplicate { get; init => field = Chance(value, "duplicate"); }

    /// <summary>The chance of a frame to be held back for another 10 ms, so that those behind it overtake it; 0 to 1.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: outside the range.</exception>
    public double Reorder { get; init => field = Chance(value, "reorder"); }

    /// <summary>The chance of a frame to arrive with one bit behind its Ethernet header changed, 0 to 1.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: outside the range.</exception>
    public double Corrupt { get; init => field = Chance(value, "corrupt"); }

    /// <summary>The most bytes a second, 100 or more, or null for no limit. Half a second's worth waits (64 KiB at least); more is lost.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: below 100.</exception>
    public long? BytesPerSecond { get; init => field = Rate(value); }

    /// <summary>Whether nothing arrives at all.</summary>
    public bool Down { get; init; }

    /// <summary>Whether frames pass as if there were no fault.</summary>
    internal bool IsNone => this == s_none;

    private static readonly LinkFault s_none = new();

    private static TimeSpan Time(TimeSpan value, string name) => value >= TimeSpan.Zero && value <= MaximumDelay ? value
        : throw Refuse($"The {name} of a link must be 0 to {MaximumDelay.TotalMinutes:0} minutes; it is {value.TotalSeconds} seconds.");

    private static double Chance(double value, string name) => value is >= 0 and <= 1 ? value
        : throw Refuse($"The {name} of a link is a chance and must be 0 to 1 (0% to 100%); it is {value}.");

    private static long? Rate(long? value) => value is null or >= MinimumRate ? value
        : throw Refuse($"The rate of a link must be {MinimumRate} bytes a second or more; it is {value}. To let nothing pass, take the link down.");

    private static VirtigoException Refuse(string message) => new(FailureKind.Usage, message);
}

/// <summary>Some links of an environment, each one direction between two machines. The network's services (DHCP, DNS) are no machine: faults never touch them.</summary>
/// <param name="From">The machine that sends; null for any.</param>
/// <param name="To">The machine that receives; null for any.</param>
/// <param name="Network">The network; null for any.</param>
internal sealed record LinkSelector(string? From = null, string? To = null, string? Network = null)
{
    /// <summary>Whether this selects the link.</summary>
    public bool Selects(string from, string to, string network) =>
        (From ?? from) == from && (To ?? to) == to && (Network ?? network) == network;
}
