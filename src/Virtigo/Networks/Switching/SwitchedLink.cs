using Virtigo.Host;

namespace Virtigo.Networks;

/// <summary>What becomes of one frame on a link.</summary>
/// <param name="Copies">How often it arrives; 0 when it is lost.</param>
/// <param name="Due">When it arrives.</param>
/// <param name="CorruptBit">The bit of the frame that is changed, or -1.</param>
internal readonly record struct FrameFate(int Copies, long Due, int CorruptBit);

/// <summary>One direction between two ports that has, or had, a fault. Not thread safe. Times are ticks of 100 ns.</summary>
/// <param name="random">The link's own generator, so that links do not disturb each other's chances.</param>
internal sealed class SwitchedLink(SeededRandom random)
{
    /// <summary>How much later a frame is that those behind it shall overtake.</summary>
    private const long OvertakenBy = 10 * TimeSpan.TicksPerMillisecond;

    private const long SmallestBacklog = 64 * 1024;

    private SeededRandom _random = random;

    /// <summary>What is wrong with the link; the default for nothing.</summary>
    public LinkFault Fault { get; set; } = new();

    /// <summary>Whether a partition cuts it.</summary>
    public bool IsCut { get; set; }

    /// <summary>Whether nothing arrives.</summary>
    public bool IsDown => IsCut || Fault.Down;

    /// <summary>Whether frames pass as if it were not here.</summary>
    public bool IsPlain => !IsCut && Fault.IsNone && Held == 0;

    /// <summary>The number of its frames that are held back.</summary>
    public int Held { get; set; }

    /// <summary>Until when it sends what it was given, for its rate.</summary>
    public long BusyUntil { get; set; }

    /// <summary>When the last frame arrives that keeps its place.</summary>
    public long LastDue { get; set; }

    /// <summary>The generator's state.</summary>
    public SeededRandom Random
    {
        get => _random;
        set => _random = value;
    }

    /// <summary>Decides over one frame.</summary>
    /// <param name="now">The time.</param>
    /// <param name="length">The frame's length, in bytes.</param>
    public FrameFate Decide(long now, int length)
    {
        if (IsDown)
        {
            return default;
        }

        // All is drawn for each frame, whatever becomes of it: how busy the link is must not decide what the next frame draws.
        bool isLost = _random.Hits(Fault.Loss);
        double jitter = Fault.Jitter > TimeSpan.Zero ? ((2 * _random.Fraction()) - 1) * Fault.Jitter.Ticks : 0;
        bool isOvertaken = _random.Hits(Fault.Reorder);
        int copies = _random.Hits(Fault.Duplicate) ? 2 : 1;
        int bit = length > EthernetFrame.HeaderSize && _random.Hits(Fault.Corrupt)
            ? (EthernetFrame.HeaderSize * 8) + (int)_random.Below((uint)(length - EthernetFrame.HeaderSize) * 8) : -1;
        if (isLost || Sent(now, length) is not { } due)
        {
            return default;
        }

        due = Math.Max(Math.Max(now, due + Fault.Delay.Ticks + (long)jitter), LastDue);
        if (isOvertaken)
        {
            due += OvertakenBy;
        }
        else
        {
            LastDue = due;
        }

        return new FrameFate(copies, due, bit);
    }

    /// <summary>When a frame is sent, at the link's rate; null when too much waits before it.</summary>
    private long? Sent(long now, int length)
    {
        if (Fault.BytesPerSecond is not { } rate)
        {
            return now;
        }

        long start = Math.Max(now, BusyUntil);
        if (start - now > Math.Max(TimeSpan.TicksPerSecond / 2, SmallestBacklog * TimeSpan.TicksPerSecond / rate))
        {
            return null;
        }

        return BusyUntil = start + Math.Max(1, length * TimeSpan.TicksPerSecond / rate);
    }
}
