using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>
/// What a terminal's bytes say, without how: escape sequences are dropped, moves to another place become line ends. Keeps the last 64 KiB.
/// The bytes come from a guest: every state is bounded.
/// </summary>
internal sealed class TerminalText
{
    /// <summary>The characters kept; older ones are forgotten.</summary>
    public const int MaximumLength = 64 * 1024;

    private const int MaximumSequence = 256;
    private readonly StringBuilder _text = new();
    private readonly Decoder _utf8 = Encoding.UTF8.GetDecoder();
    private State _state;
    private int _sequence;

    private enum State
    {
        Plain,
        Escape,
        Control,
        String,
        StringEscape,
        Charset,
    }

    /// <summary>The text, oldest first.</summary>
    public override string ToString() => _text.ToString();

    /// <summary>The text's last characters.</summary>
    /// <param name="count">How many at most.</param>
    public string Tail(int count) => _text.ToString(Math.Max(0, _text.Length - count), Math.Min(count, _text.Length));

    /// <summary>The last lines that say something.</summary>
    /// <param name="count">How many at most.</param>
    public IReadOnlyList<string> LastLines(int count) =>
        [.. Tail(16 * 1024).Split('\n').Select(l => l.Trim()).Where(l => l.Any(char.IsLetterOrDigit)).TakeLast(count)];

    /// <summary>Takes the next bytes.</summary>
    public void Feed(ReadOnlySpan<byte> bytes)
    {
        Span<char> characters = stackalloc char[512];
        while (!bytes.IsEmpty)
        {
            _utf8.Convert(bytes, characters, flush: false, out int used, out int made, out _);
            bytes = bytes[used..];
            foreach (char c in characters[..made])
            {
                Next(c);
            }

            if (_text.Length > 2 * MaximumLength)
            {
                _text.Remove(0, _text.Length - MaximumLength);
            }
        }

        if (_text.Length > MaximumLength)
        {
            _text.Remove(0, _text.Length - MaximumLength);
        }
    }

    private void Next(char c)
    {
        if (c == '\u001b' && _state is not State.String)
        {
            (_state, _sequence) = (State.Escape, 0);
            return;
        }

        switch (_state)
        {
            case State.Plain:
                Plain(c);
                break;
            case State.Escape:
                _state = c switch
                {
                    '[' => State.Control,
                    ']' or 'P' or '^' or '_' or 'X' => State.String,
                    '(' or ')' or '*' or '+' or '#' or '%' or ' ' => State.Charset,
                    _ => State.Plain,
                };
                break;
            case State.Control when c is >= '@' and <= '~':
                Moved(c);
                _state = State.Plain;
                break;
            case State.String when c == '\u001b':
                _state = State.StringEscape;
                break;
            case State.String when c is '\a':
            case State.StringEscape:
            case State.Charset:
                _state = State.Plain;
                break;
            default:
                if (++_sequence > MaximumSequence)
                {
                    _state = State.Plain;
                }

                break;
        }
    }

    private void Plain(char c)
    {
        if (c == '\n' || c == '\t' || !char.IsControl(c))
        {
            _text.Append(c);
        }
    }

    private void Moved(char final)
    {
        if (final is 'H' or 'f' or 'd' or 'J' or 'B' or 'E' && _text.Length > 0 && _text[^1] != '\n')
        {
            _text.Append('\n');
        }
    }
}
