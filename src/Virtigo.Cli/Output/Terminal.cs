using System.Runtime.InteropServices;

namespace Virtigo.Cli.Output;

/// <summary>The terminal that standard output is on.</summary>
internal static partial class Terminal
{
    private const int StandardOutput = 1;
    private const nuint AskForSize = 0x5413;
    private const int DefaultColumns = 80;
    private const int DefaultRows = 24;

    /// <summary>Its size now; that of old terminals when it is not known.</summary>
    public static (int Columns, int Rows) Size()
    {
        Span<ushort> size = stackalloc ushort[4];
        return Control(StandardOutput, AskForSize, size) == 0 && size[0] > 0 && size[1] > 0 ? (size[1], size[0]) : (DefaultColumns, DefaultRows);
    }

    // Safe: the kernel writes one winsize, which is four 16-bit numbers, and keeps no pointer to it.
    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int Control(int file, nuint request, Span<ushort> size);
}
