using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Testing;

/// <summary>
/// Seeds in two steps. Each attempt of a run has a number of its own, which a person can give back with <c>--seed</c>: the first attempt of the
/// first repetition has the run's. What is drawn in a test comes from that number and the test's name, whatever else runs.
/// </summary>
internal static class TestSeeds
{
    /// <summary>The most attempts that a repetition can have.</summary>
    private const int MostAttempts = 101;

    // Odd, so that the numbers of 2^31 attempts in a row all differ: 2^32 divided by the golden ratio.
    private const ulong Stride = 0x9E3779B1;

    /// <summary>A new seed, short enough to type.</summary>
    public static ulong New() => (ulong)RandomNumberGenerator.GetInt32(int.MaxValue);

    /// <summary>The number of one attempt, which as the seed of a run makes its first attempt the same.</summary>
    /// <param name="run">The seed of the run.</param>
    /// <param name="repetition">The repetition, from 1.</param>
    /// <param name="attempt">The attempt of that repetition, from 1 to 101.</param>
    public static ulong OfAttempt(ulong run, int repetition, int attempt)
    {
        ulong index = ((ulong)(repetition - 1) * MostAttempts) + (ulong)(attempt - 1);
        return index == 0 ? run : (run + (index * Stride)) & int.MaxValue;
    }

    /// <summary>Where everything drawn in one attempt at a test comes from.</summary>
    /// <param name="attempt">The number of the attempt.</param>
    /// <param name="test">The name of the test.</param>
    public static ulong OfDraws(ulong attempt, string test) =>
        BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{attempt}\n{test}"))));
}
