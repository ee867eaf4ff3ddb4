using System.Globalization;

namespace Virtigo.Machines;

public sealed partial class Machine
{
    private const double MostSkew = 100_000;

    /// <summary>The command that sets a guest's clock.</summary>
    internal static string SetClockCommand(DateTimeOffset time) =>
        string.Create(CultureInfo.InvariantCulture, $"date -u -s @{time.ToUnixTimeSeconds()}.{time.UtcTicks % TimeSpan.TicksPerSecond:0000000}");

    /// <summary>Sets the guest's clock.</summary>
    /// <param name="time">The time that the guest is to believe, not before 1970.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="MachineCommandException">The guest does not take it.</exception>
    /// <inheritdoc cref="ExecuteAsync(string, CommandOptions, CancellationToken)" path="/exception"/>
    public Task SetClockAsync(DateTimeOffset time, CancellationToken cancellationToken) => RunAsync(SetClockCommand(time), cancellationToken);

    /// <summary>Lets the guest's clock jump.</summary>
    /// <param name="by">How far; negative is back.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="MachineCommandException">The guest does not take it.</exception>
    /// <inheritdoc cref="ExecuteAsync(string, CommandOptions, CancellationToken)" path="/exception"/>
    public Task JumpClockAsync(TimeSpan by, CancellationToken cancellationToken) => RunAsync(
        string.Create(CultureInfo.InvariantCulture,
            $"n=$(($(date +%s%N) + {by.Ticks} * 100)); date -u -s @$((n / 1000000000)).$(printf %09d $((n % 1000000000)))"), cancellationToken);

    /// <summary>Lets the guest's clock run fast or slow from now on; 0 sets it right. Its monotonic clock runs with it.</summary>
    /// <param name="partsPerMillion">How fast: 1000 gains a millisecond each second; -100000 to 100000.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="MachineCommandException">The guest has no perl, or does not take it.</exception>
    /// <inheritdoc cref="ExecuteAsync(string, CommandOptions, CancellationToken)" path="/exception"/>
    public Task SkewClockAsync(double partsPerMillion, CancellationToken cancellationToken)
    {
        if (!(Math.Abs(partsPerMillion) <= MostSkew))
        {
            throw new VirtigoException(FailureKind.Usage, FormattableString.Invariant($"A clock can be skewed by at most {MostSkew} ppm, not {partsPerMillion}."));
        }

        // struct timex: the tick in microseconds takes steps of 100 ppm, the frequency in 1/65536 ppm the rest.
        double steps = Math.Round(partsPerMillion / 100);
        long tick = 10_000 + (long)steps;
        long frequency = (long)((partsPerMillion - (steps * 100)) * 65536);
        return RunAsync(string.Create(CultureInfo.InvariantCulture, $$"""
            perl -MPOSIX -e 'my $m = (POSIX::uname())[4];
            my $t = pack "L x4 q q q q l x4 q q q q q q x120", 0x4002, 0, {{frequency}}, 0, 0, 0, 0, 0, 0, 0, 0, {{tick}};
            syscall($m eq "x86_64" ? 159 : 171, $t) >= 0 or die "adjtimex: $!\n"'
            """), cancellationToken);
    }
}
