using System.Globalization;

namespace Virtigo.Profiles;

/// <summary>What one transfer, there and back, came to.</summary>
/// <param name="Bytes">How much was transferred, both ways together.</param>
/// <param name="Seconds">How long it took, both ways together.</param>
/// <param name="Sent">How many segments were sent.</param>
/// <param name="Retransmitted">How many of them again.</param>
/// <param name="WrongChecksums">How many came with a wrong checksum.</param>
internal readonly record struct TransferSample(long Bytes, double Seconds, long Sent, long Retransmitted, long WrongChecksums)
{
    /// <summary>The throughput, in megabits per second.</summary>
    public double Megabits => Seconds > 0 ? Bytes * 8 / Seconds / 1e6 : 0;

    /// <summary>What went wrong.</summary>
    public long Errors => Retransmitted + WrongChecksums;

    /// <summary>Both together.</summary>
    public TransferSample Plus(TransferSample other) =>
        new(Bytes + other.Bytes, Seconds + other.Seconds, Sent + other.Sent, Retransmitted + other.Retransmitted, WrongChecksums + other.WrongChecksums);
}

/// <summary>Why an offload is better the other way.</summary>
internal enum OffloadReason
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>Less goes wrong.</summary>
    FewerErrors,

    /// <summary>It is faster.</summary>
    Faster,
}

/// <summary>Transfers with an offload of a card as it is, and with it the other way, taken in turn.</summary>
/// <param name="Card">The network card.</param>
/// <param name="Offload">The offload.</param>
/// <param name="IsOn">How it is.</param>
/// <param name="AsIs">The transfers as it is.</param>
/// <param name="Otherwise">The transfers the other way.</param>
internal sealed record OffloadTrial(string Card, string Offload, bool IsOn, IReadOnlyList<TransferSample> AsIs, IReadOnlyList<TransferSample> Otherwise)
{
    /// <summary>What is faster must be faster by this share, at least.</summary>
    public const double LeastGain = 0.2;

    private const long FewestErrors = 10;
    private const int ErrorFactor = 4;

    /// <summary>
    /// Whether it should be changed. Errors count first: they must fall to a quarter, from ten on. Speed counts when it grows by a fifth, and by more than
    /// transfers of one kind differ among themselves, and nothing more goes wrong.
    /// </summary>
    public OffloadReason Reason => AsIs.Count == 0 || Otherwise.Count == 0 ? OffloadReason.None
        : Errors(AsIs) >= FewestErrors && Errors(AsIs) >= ErrorFactor * Math.Max(1, Errors(Otherwise)) ? OffloadReason.FewerErrors
        : Median(Otherwise) > Median(AsIs) * (1 + Margin) && Otherwise.Min(one => one.Megabits) > AsIs.Max(one => one.Megabits)
            && Errors(Otherwise) <= Errors(AsIs) + FewestErrors ? OffloadReason.Faster
        : OffloadReason.None;

    /// <summary>The gain that is more than chance.</summary>
    public double Margin => Math.Max(LeastGain, Math.Max(Spread(AsIs), Spread(Otherwise)));

    /// <summary>The typical throughput as it is.</summary>
    public double Now => Median(AsIs);

    /// <summary>The typical throughput the other way.</summary>
    public double Then => Median(Otherwise);

    /// <summary>The numbers, in a few words.</summary>
    public string Words => string.Create(CultureInfo.InvariantCulture,
        $"{Offload} {(IsOn ? "on" : "off")}: {Now:0} Mbit/s, {Errors(AsIs)} errors; {(IsOn ? "off" : "on")}: {Then:0} Mbit/s, {Errors(Otherwise)} errors");

    private static long Errors(IReadOnlyList<TransferSample> samples) => samples.Sum(sample => sample.Errors);

    private static double Median(IReadOnlyList<TransferSample> samples)
    {
        double[] all = [.. samples.Select(sample => sample.Megabits).Order()];
        return all.Length == 0 ? 0 : (all[(all.Length - 1) / 2] + all[all.Length / 2]) / 2;
    }

    private static double Spread(IReadOnlyList<TransferSample> samples) =>
        Median(samples) is > 0 and var middle ? (samples.Max(sample => sample.Megabits) - samples.Min(sample => sample.Megabits)) / middle : 0;
}
