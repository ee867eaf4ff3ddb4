using System.Globalization;

namespace Virtigo.Cli.Output;

/// <summary>Sizes and times as people read them.</summary>
internal static class Words
{
    private static readonly string[] s_units = ["B", "KiB", "MiB", "GiB", "TiB"];

    /// <summary>A number of bytes, such as <c>612 MiB</c>.</summary>
    public static string Size(long bytes)
    {
        double number = bytes;
        int unit = 0;
        while (number >= 1024 && unit < s_units.Length - 1)
        {
            number /= 1024;
            unit++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{number.ToString(number < 10 && unit > 0 ? "0.0" : "0", CultureInfo.InvariantCulture)} {s_units[unit]}");
    }

    /// <summary>A length of time, such as <c>60 ms</c>, <c>4.2 s</c>, <c>7 m 12 s</c>.</summary>
    public static string Time(TimeSpan time) => time switch
    {
        { TotalSeconds: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{Math.Round(time.TotalMilliseconds)} ms"),
        { TotalSeconds: < 10 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0} s"),
        { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0} s"),
        { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalMinutes} m {time.Seconds:00} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours} h {time.Minutes:00} m"),
    };
}
