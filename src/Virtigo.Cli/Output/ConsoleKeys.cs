namespace Virtigo.Cli.Output;

/// <summary>What was typed, up to and with a key that is not the machine's.</summary>
/// <param name="Plain">What goes to the machine.</param>
/// <param name="SysRq">The SysRq command given after it; null for none.</param>
/// <param name="Leaves">Whether the person leaves after it.</param>
internal readonly record struct TypedPart(ReadOnlyMemory<byte> Plain, char? SysRq, bool Leaves);

/// <summary>Takes the keys that are not the machine's out of what is typed at its console.</summary>
internal sealed class ConsoleKeys
{
    /// <summary>Ctrl-], which leaves.</summary>
    public const byte Leave = 0x1d;

    /// <summary>Ctrl-^, which makes the next key a SysRq command; twice, it is typed itself.</summary>
    public const byte Command = 0x1e;

    private bool _isCommand;

    /// <summary>The parts of what was typed. A SysRq command may be divided between two calls.</summary>
    /// <param name="typed">What was read.</param>
    public IEnumerable<TypedPart> Split(ReadOnlyMemory<byte> typed)
    {
        while (!typed.IsEmpty)
        {
            if (_isCommand)
            {
                byte key = typed.Span[0];
                _isCommand = false;
                yield return key == Command ? new TypedPart(typed[..1], null, false)
                    : new TypedPart(default, char.IsAsciiLetterOrDigit((char)key) ? char.ToLowerInvariant((char)key) : null, key == Leave);
                typed = typed[1..];
                continue;
            }

            int end = typed.Span.IndexOfAny(Leave, Command);
            if (end < 0)
            {
                yield return new TypedPart(typed, null, false);
                yield break;
            }

            bool leaves = typed.Span[end] == Leave;
            _isCommand = !leaves;
            yield return new TypedPart(typed[..end], null, leaves);
            typed = typed[(end + 1)..];
        }
    }
}
