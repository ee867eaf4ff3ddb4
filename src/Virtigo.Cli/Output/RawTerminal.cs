using System.Runtime.InteropServices;

namespace Virtigo.Cli.Output;

/// <summary>The terminal of standard input in raw mode: each key goes on as it is, Ctrl-C too. Disposing it gives the old mode back.</summary>
internal sealed partial class RawTerminal : IDisposable
{
    private const int StandardInput = 0;
    private const int Now = 0;

    // A termios of Linux has 60 bytes with glibc and with musl; what lies beyond is never looked at.
    private const int TermiosBytes = 256;
    private readonly byte[] _before;

    private RawTerminal(byte[] before) => _before = before;

    /// <summary>Enters raw mode; null when standard input is no terminal.</summary>
    public static RawTerminal? Enter()
    {
        byte[] before = new byte[TermiosBytes];
        if (GetMode(StandardInput, before) != 0)
        {
            return null;
        }

        byte[] raw = [.. before];
        MakeRaw(raw);
        return SetMode(StandardInput, Now, raw) == 0 ? new RawTerminal(before) : null;
    }

    public void Dispose() => _ = SetMode(StandardInput, Now, _before);

    // Safe: each call reads or writes one termios, which is smaller than the buffer, and keeps no pointer to it.
    [LibraryImport("libc", EntryPoint = "tcgetattr")]
    private static partial int GetMode(int file, Span<byte> mode);

    [LibraryImport("libc", EntryPoint = "tcsetattr")]
    private static partial int SetMode(int file, int when, ReadOnlySpan<byte> mode);

    [LibraryImport("libc", EntryPoint = "cfmakeraw")]
    private static partial void MakeRaw(Span<byte> mode);
}
