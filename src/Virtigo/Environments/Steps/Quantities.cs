using System.Globalization;

namespace Virtigo.Environments.Steps;

/// <summary>Numbers with a unit, as people write them in steps. Each reader answers null for anything else.</summary>
internal static class Quantities
{
    public const string DurationExpected = "a number with a unit, such as 200ms, 60s, 2m or 1h, at most 7 days";
    public const string ShiftExpected = "a length of time, such as +2h or -30m, at most 100 years";
    public const string PercentExpected = "a percentage from 0% to 100%, such as 5%";
    public const string RateExpected = "a number with a unit, such as 1MB/s, 500kB/s or 10Mbit/s (powers of 1000)";
    public const string SkewExpected = "parts per million from -500000ppm to 500000ppm, such as 200ppm or -50ppm";
    public const string InstantExpected = "a date, or a date and time of UTC, such as 2030-01-01 or 2030-01-01T12:00:00Z";

    private const int MaxLength = 40;
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(7);
    private static readonly TimeSpan s_farthest = TimeSpan.FromDays(36_525);

    private static readonly (string Unit, double Seconds)[] s_times =
        [("ms", 0.001), ("s", 1), ("m", 60), ("min", 60), ("h", 3600), ("d", 86_400)];

    private static readonly (string Unit, double Bytes)[] s_rates =
    [
        ("B/s", 1), ("kB/s", 1e3), ("MB/s", 1e6), ("GB/s", 1e9),
        ("bit/s", 0.125), ("kbit/s", 125), ("Mbit/s", 125e3), ("Gbit/s", 125e6),
    ];

    private static readonly string[] s_instants = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm'Z'", "yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd HH:mm:ss'Z'"];

    /// <summary>A length of time; none is negative or longer than 7 days.</summary>
    public static TimeSpan? Duration(string text) =>
        WithUnit(text, s_times) is { } seconds && seconds >= 0 && seconds <= s_longest.TotalSeconds ? Time(seconds) : null;

    /// <summary>A way through time, to either side.</summary>
    public static TimeSpan? Shift(string text) =>
        WithUnit(text, s_times) is { } seconds && Math.Abs(seconds) <= s_farthest.TotalSeconds ? Time(seconds) : null;

    /// <summary>A share from 0 to 1.</summary>
    public static double? Percent(string text) =>
        WithUnit(text, [("%", 0.01)]) is { } share && share is >= 0 and <= 1 ? share : null;

    /// <summary>Bytes per second, at least 1.</summary>
    public static long? Rate(string text) =>
        WithUnit(text, s_rates) is { } bytes && bytes is >= 1 and <= 1e12 ? (long)bytes : null;

    /// <summary>How much faster a clock goes, in parts per million.</summary>
    public static double? Skew(string text) =>
        WithUnit(text, [("ppm", 1)]) is { } skew && Math.Abs(skew) <= 500_000 ? skew : null;

    /// <summary>A moment, in UTC.</summary>
    public static DateTimeOffset? Instant(string text) =>
        DateTimeOffset.TryParseExact(text, s_instants, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset moment)
            ? moment
            : null;

    /// <summary>A length of time in the shortest form that <see cref="Duration"/> reads.</summary>
    public static string Format(TimeSpan time) => time switch
    {
        { Ticks: 0 } => "0s",
        _ when Whole(time.TotalHours) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0}h"),
        _ when Whole(time.TotalMinutes) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0}m"),
        { TotalSeconds: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.###}s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0.###}ms"),
    };

    private static TimeSpan Time(double seconds) => TimeSpan.FromTicks((long)Math.Round(seconds * TimeSpan.TicksPerSecond));

    private static bool Whole(double number) => Math.Abs(number) >= 1 && number == Math.Floor(number);

    private static double? WithUnit(string text, (string Unit, double Factor)[] units)
    {
        int end = text.AsSpan().LastIndexOfAnyInRange('0', '9') + 1;
        if (end == 0 || text.Length > MaxLength
            || !double.TryParse(text.AsSpan(0, end), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number))
        {
            return null;
        }

        ReadOnlySpan<char> unit = text.AsSpan(end).TrimStart(' ');
        foreach ((string name, double factor) in units)
        {
            if (unit.SequenceEqual(name))
            {
                return number * factor;
            }
        }

        return null;
    }
}
