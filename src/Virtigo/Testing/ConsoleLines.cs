using System.Text;

namespace Virtigo.Testing;

/// <summary>
/// Cuts what a console says into lines of printable text. A line without an end is given out in pieces that overlap, so that no phrase is
/// lost between two of them.
/// </summary>
internal sealed class ConsoleLines
{
    /// <summary>The longest piece, in bytes.</summary>
    public const int MaximumLength = 4096;

    /// <summary>How much of a piece is repeated at the beginning of the next.</summary>
    public const int Overlap = 256;

    private readonly byte[] _line = new byte[MaximumLength];
    private int _length;
    private int _said;

    /// <summary>Takes the next bytes.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="onLine">Called for each line or piece that they complete.</param>
    public void Feed(ReadOnlySpan<byte> bytes, Action<string> onLine)
    {
        while (!bytes.IsEmpty)
        {
            int end = bytes.IndexOfAny((byte)'\n', (byte)'\r');
            ReadOnlySpan<byte> part = end < 0 ? bytes : bytes[..end];
            while (!part.IsEmpty)
            {
                int count = Math.Min(part.Length, MaximumLength - _length);
                part[..count].CopyTo(_line.AsSpan(_length));
                _length += count;
                part = part[count..];
                if (_length == MaximumLength)
                {
                    onLine(Text());
                    _line.AsSpan(MaximumLength - Overlap).CopyTo(_line);
                    _length = _said = Overlap;
                }
            }

            if (end < 0)
            {
                return;
            }

            Finish(onLine);
            bytes = bytes[(end + 1)..];
        }
    }

    /// <summary>Gives out what has no end yet.</summary>
    public void Finish(Action<string> onLine)
    {
        if (_length > _said)
        {
            onLine(Text());
        }

        _length = _said = 0;
    }

    private string Text()
    {
        string text = Encoding.UTF8.GetString(_line, 0, _length);
        return text.Any(char.IsControl) ? string.Concat(text.Select(c => c == '\t' ? ' ' : c).Where(c => !char.IsControl(c))) : text;
    }
}
