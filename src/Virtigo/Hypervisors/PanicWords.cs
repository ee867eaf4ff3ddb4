using System.Text;

namespace Virtigo.Hypervisors;

/// <summary>Finds a kernel's last words.</summary>
internal static class PanicWords
{
    private const int Longest = 300;

    /// <summary>The words of a panic that one of a guest's serial ports remembers; null when none does.</summary>
    public static string? In(IEnumerable<SerialPort> ports) => ports.Select(port => In(port.Remembered())).FirstOrDefault(line => line is not null);

    /// <summary>The line with which a kernel panicked, or null when there is none.</summary>
    /// <param name="output">What a console remembers.</param>
    public static string? In(ReadOnlySpan<byte> output)
    {
        int start = output.LastIndexOf("Kernel panic - not syncing"u8);
        if (start < 0)
        {
            return null;
        }

        ReadOnlySpan<byte> line = output.Slice(start, Math.Min(Longest, output.Length - start));
        int end = line.IndexOfAny((byte)'\r', (byte)'\n');
        return Encoding.UTF8.GetString(end < 0 ? line : line[..end]);
    }
}
