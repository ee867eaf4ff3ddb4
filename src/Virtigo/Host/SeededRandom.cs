using System.Numerics;

namespace Virtigo.Host;

/// <summary>The generator xoshiro256** (Blackman and Vigna), seeded through splitmix64: small, quick, the same everywhere, and its state can be kept. A value; not thread safe.</summary>
internal struct SeededRandom
{
    private ulong _a;
    private ulong _b;
    private ulong _c;
    private ulong _d;

    /// <summary>Creates the generator of a seed.</summary>
    public SeededRandom(ulong seed)
    {
        _a = SplitMix(ref seed);
        _b = SplitMix(ref seed);
        _c = SplitMix(ref seed);
        _d = SplitMix(ref seed);
    }

    /// <summary>Creates a generator that goes on from a state; all zeros, which is no state, counts as the seed 0.</summary>
    public SeededRandom((ulong A, ulong B, ulong C, ulong D) state) => this = state == default ? new SeededRandom(0)
        : new SeededRandom { _a = state.A, _b = state.B, _c = state.C, _d = state.D };

    /// <summary>All there is to know about what comes next.</summary>
    public readonly (ulong A, ulong B, ulong C, ulong D) State => (_a, _b, _c, _d);

    /// <summary>The generator of one of several independent things under the same seed.</summary>
    /// <param name="seed">The common seed.</param>
    /// <param name="names">What tells the thing from the others.</param>
    public static SeededRandom For(ulong seed, params ReadOnlySpan<string> names)
    {
        const ulong fnvOffset = 14695981039346656037;
        const ulong fnvPrime = 1099511628211;
        ulong hash = fnvOffset ^ seed;
        foreach (string name in names)
        {
            foreach (char character in name)
            {
                hash = (hash ^ character) * fnvPrime;
            }

            hash = (hash ^ char.MaxValue) * fnvPrime;
        }

        return new SeededRandom(hash);
    }

    /// <summary>The next 64 bits.</summary>
    public ulong Next()
    {
        ulong result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        ulong shifted = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= shifted;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>A number from 0 to below <paramref name="limit"/> (which is 1 or more); even to one part in four thousand million.</summary>
    public uint Below(uint limit) => (uint)(((Next() >> 32) * limit) >> 32);

    /// <summary>A number from 0 to below 1.</summary>
    public double Fraction() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Whether something of this chance (0 to 1) happens.</summary>
    public bool Hits(double chance) => chance > 0 && Fraction() < chance;

    private static ulong SplitMix(ref ulong state)
    {
        state += 0x9E3779B97F4A7C15;
        ulong mixed = state;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }
}
