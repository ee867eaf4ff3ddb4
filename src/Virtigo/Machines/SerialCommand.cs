using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Machines;

/// <summary>What is typed into a shell on a serial console to run one command, and how the shell's answers are marked.</summary>
internal sealed class SerialCommand
{
    /// <summary>The longest command, in characters as it is typed.</summary>
    public const int LongestCommand = 96 << 10;

    // A terminal takes less than 4096 characters in a line.
    private const int Piece = 700;
    private readonly string _token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    /// <summary>Said when the shell has taken what was typed.</summary>
    public string Taken => $"@@virtigo-{_token}.taken";

    /// <summary>Said before the output; a line end follows.</summary>
    public string Begin => $"@@virtigo-{_token}.begin";

    /// <summary>Said after the output; the exit code and a <c>@</c> follow.</summary>
    public string End => $"@@virtigo-{_token}.end.";

    /// <summary>Makes the shell say that it is there; from then on it echoes nothing and shows no prompt.</summary>
    public string Greeting => $" stty -echo 2>/dev/null; PS1=; PS2=; unset HISTFILE PROMPT_COMMAND; {Say("taken\\n")}\n";

    /// <summary>Asks again for the end: it is answered when the command is over.</summary>
    public string Reminder => $" {Say("end.%d@\\n", " $_r")}\n";

    /// <summary>Makes the shell run the command that it was told.</summary>
    public string Run => $" {Say("begin\\n")}; /bin/sh -c \"$(printf %b \"$_c\")\" </dev/null; _r=$?; {Say("end.%d@\\n", " $_r")}\n";

    /// <summary>The lines that tell the shell a command; <see cref="Taken"/> answers each.</summary>
    /// <param name="command">For <c>/bin/sh -c</c>.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when it cannot be typed.</exception>
    public IReadOnlyList<string> Tell(string command)
    {
        string typed = Escape(command);
        if (typed.Length > LongestCommand || command.Contains('\0', StringComparison.Ordinal))
        {
            throw new VirtigoException(FailureKind.Usage, string.Create(CultureInfo.InvariantCulture,
                $"A command of {typed.Length} bytes cannot be typed on a serial console, which takes {LongestCommand}, and no NUL."),
                "Install qemu-guest-agent and perl-base in the machine.");
        }

        return [.. typed.Chunk(Piece).Select((piece, at) => $" _c={(at == 0 ? "" : "\"$_c\"")}'{new string(piece)}'; {Say("taken\\n")}\n").DefaultIfEmpty($" _c=; {Say("taken\\n")}\n")];
    }

    // What is typed never holds a mark in one piece, so that its echo is none.
    private string Say(string format, string arguments = "") => $"printf '@@%s{format}' virtigo-{_token}.{arguments}";

    private static string Escape(string command)
    {
        var text = new StringBuilder();
        foreach (byte each in Encoding.UTF8.GetBytes(command))
        {
            _ = each is > 0x1f and < 0x7f and not (byte)'\'' and not (byte)'\\'
                ? text.Append((char)each)
                : text.Append("\\0").Append(Convert.ToString(each, 8).PadLeft(3, '0'));
        }

        return text.ToString();
    }
}
