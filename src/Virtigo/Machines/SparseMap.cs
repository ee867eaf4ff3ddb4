using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Virtigo.Machines;

/// <summary>Where a file of the host's has content.</summary>
internal static partial class SparseMap
{
    private const int SeekData = 3;
    private const int SeekHole = 4;
    private const int MostPieces = 100_000;

    /// <summary>The pieces with content; null when the file has no holes worth to mention, or too many.</summary>
    public static List<(long At, long Length)>? Of(SafeFileHandle file, long length)
    {
        var pieces = new List<(long At, long Length)>();
        for (long at = 0; at < length;)
        {
            long data = Seek(file, at, SeekData);
            if (data < 0)
            {
                break;
            }

            long hole = Seek(file, data, SeekHole);
            if (hole <= data || pieces.Count == MostPieces)
            {
                return null;
            }

            pieces.Add((data, Math.Min(hole, length) - data));
            at = hole;
        }

        return pieces.Sum(piece => piece.Length) < length ? pieces : null;
    }

    // Safe: the handle is kept alive by the marshaller for the length of the call; only the file's own offset changes, which nobody uses.
    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long Seek(SafeFileHandle file, long offset, int whence);
}
