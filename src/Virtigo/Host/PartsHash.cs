using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Host;

/// <summary>One key for everything that goes into something.</summary>
internal static class PartsHash
{
    /// <summary>SHA-256, in lower-case hexadecimal, over the parts in their order, a zero between two.</summary>
    public static string Of(IEnumerable<string> parts) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', parts))));
}
