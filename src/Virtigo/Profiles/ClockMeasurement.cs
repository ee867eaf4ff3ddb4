namespace Virtigo.Profiles;

/// <summary>One look at a guest's clock.</summary>
/// <param name="At">When, in seconds of the host's since the first.</param>
/// <param name="Offset">How far the guest is ahead of the host, in seconds.</param>
/// <param name="Error">How far that can be wrong at most: half the round trip, in seconds.</param>
internal readonly record struct ClockSample(double At, double Offset, double Error);

/// <summary>A guest's clock compared with the host's.</summary>
/// <param name="Offset">How far the guest is ahead, in seconds.</param>
/// <param name="Error">How far that can be wrong at most, in seconds.</param>
/// <param name="Drift">How much faster it goes, in parts per million; null when it was looked at too few times.</param>
/// <param name="DriftError">How far that can be wrong at most.</param>
/// <param name="Samples">How many looks there were.</param>
/// <param name="Seconds">Over which time.</param>
internal sealed record ClockMeasurement(double Offset, double Error, double? Drift, double DriftError, int Samples, double Seconds)
{
    /// <summary>A clock that is further off than this is wrong, in seconds.</summary>
    public const double MostOffset = 1;

    /// <summary>NTP cannot steer a clock that drifts more than this, in parts per million.</summary>
    public const double MostDrift = 500;

    private const double Million = 1e6;

    /// <summary>Whether it is off beyond doubt.</summary>
    public bool IsOff => Math.Abs(Offset) - Error > MostOffset;

    /// <summary>Whether it drifts beyond doubt.</summary>
    public bool Drifts => Drift is { } drift && Math.Abs(drift) - DriftError > MostDrift;

    /// <summary>Draws the conclusion from samples: the best of them counts, for the drift the best of the first and of the last third.</summary>
    /// <param name="samples">In the order of time.</param>
    /// <returns>Null without samples.</returns>
    public static ClockMeasurement? Of(IReadOnlyList<ClockSample> samples)
    {
        const int fewest = 6;
        if (samples.Count == 0)
        {
            return null;
        }

        ClockSample best = samples.MinBy(sample => sample.Error);
        double seconds = samples[^1].At - samples[0].At;
        if (samples.Count < fewest || seconds <= 0)
        {
            return new ClockMeasurement(best.Offset, best.Error, null, 0, samples.Count, seconds);
        }

        int third = samples.Count / 3;
        ClockSample early = samples.Take(third).MinBy(sample => sample.Error);
        ClockSample late = samples.TakeLast(third).MinBy(sample => sample.Error);
        double between = late.At - early.At;
        if (between <= 0)
        {
            return new ClockMeasurement(best.Offset, best.Error, null, 0, samples.Count, seconds);
        }

        return new ClockMeasurement(late.Offset, late.Error, (late.Offset - early.Offset) / between * Million,
            (late.Error + early.Error) / between * Million, samples.Count, seconds);
    }
}
