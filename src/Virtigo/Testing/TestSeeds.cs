using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Testing;

/// <summary>Seeds that are the same for the same test of the same run, whatever else runs.</summary>
internal static class TestSeeds
{
    /// <summary>A new seed, short enough to type.</summary>
    public static ulong New() => (ulong)RandomNumberGenerator.GetInt32(int.MaxValue);

    /// <summary>The seed of one test in a run.</summary>
    public static ulong Of(ulong run, string test, int repetition)
    {
        byte[] text = Encoding.UTF8.GetBytes(FormattableString.Invariant($"{run}\n{repetition}\n{test}"));
        return BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(text));
    }
}
