using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>Cuts a stream of bytes into lines of text. Lines are cut at 4 KiB; control characters other than tab are dropped.</summary>
internal sealed class TextLines
{
    /// <summary>The bytes of a line beyond which the rest is dropped.</summary>
    public const int MaximumLength = 4096;

    private readonly byte[] _line = new byte[MaximumLength];
    private int _length;

    /// <summary>Takes the next bytes.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="onLine">Called for each line that they complete.</param>
    public void Feed(ReadOnlySpan<byte> bytes, Action<string> onLine)
    {
        while (!bytes.IsEmpty)
        {
            int end = bytes.IndexOf((byte)'\n');
            Take(end < 0 ? bytes : bytes[..end]);
            if (end < 0)
            {
                return;
            }

            onLine(Text());
            _length = 0;
            bytes = bytes[(end + 1)..];
        }
    }

    private void Take(ReadOnlySpan<byte> bytes)
    {
        int count = Math.Min(bytes.Length, MaximumLength - _length);
        bytes[..count].CopyTo(_line.AsSpan(_length));
        _length += count;
    }

    private string Text()
    {
        string text = Encoding.UTF8.GetString(_line, 0, _length);
        return text.Any(c => char.IsControl(c) && c != '\t')
            ? string.Concat(text.Where(c => !char.IsControl(c) || c == '\t'))
            : text;
    }
}
