using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Machines;

/// <summary>
/// What is typed into a shell on a serial console to run one command, and how the shell's answers are marked. Whatever shell is there is made to
/// run another one that reads lines and carries them out, without prompts, echo or editing. A command runs beside that shell, not in front of it,
/// so that the shell always answers and can kill it: a console without terminal control has no Ctrl-C.
/// </summary>
internal sealed class SerialCommand
{
    /// <summary>The longest command and the longest input, in characters as they are typed.</summary>
    public const int LongestCommand = 96 << 10;

    /// <summary>Said by our shell to an empty line.</summary>
    public const string Ready = "@@virtigo-shell# ";

    /// <summary>An empty line: a shell answers it, and a boot menu boots.</summary>
    public const string Nudge = "\n";

    // A terminal takes less than 4096 characters in a line, and small shells 1024.
    private const int Piece = 700;
    private readonly string _token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    /// <summary>Begins every mark; a word and <c>@</c> follow.</summary>
    public string Mark => $"@@virtigo-{_token}.";

    /// <summary>Makes the shell say that it is there.</summary>
    public string Greeting =>
        """ stty -echo 2>/dev/null; unset HISTFILE PROMPT_COMMAND; [ "$_v" = 1 ] || { /bin/sh -c 'exec 2>/dev/null; _v=1; """ + Say("taken", quote: '"')
        + """; while IFS= read -r _l; do if [ -n "$_l" ]; then eval "$_l"; else printf "@@%s# " virtigo-shell; fi; done'; stty echo 2>/dev/null; }; """
        + $"{Say("taken")}\n";

    /// <summary>Makes the shell say where the output begins; a line end follows the mark.</summary>
    public string Begin => $" {Say("begin")}\n";

    /// <summary>
    /// Makes the shell run what it was told. The end is said several times, since the kernel may write into its middle, and until
    /// <see cref="Acknowledge"/>.
    /// </summary>
    public string Run =>
        $" _t={_token}; _s=; setsid true && _s=setsid; $_s /bin/sh -c 'exec 2>&1; "
        + """if [ -n "$2" ]; then printf %b "$2" 2>/dev/null | /bin/sh -c "$(printf %b "$1")"; else /bin/sh -c "$(printf %b "$1")"; fi; _r=$?; """
        + $"for _n in 1 2 3 4 5 6 7 8; do {Say("end.%d", " $_r", '"')}; sleep 5; done' virtigo \"$_c\" \"$_i\" </dev/null & _p=$!\n";

    /// <summary>Tells the shell that the end was heard.</summary>
    public string Acknowledge => $" [ \"$_t\" = {_token} ] && {{ kill $_p; wait $_p; _t=; }}\n";

    /// <summary>
    /// Makes the shell kill the command and all that came from it: everything below it, and in its session where there is <c>setsid</c>. They are
    /// stopped first, so that none is born meanwhile. A shell that is not the one that started it finds it by the mark in its arguments.
    /// </summary>
    public string Kill =>
        $" _k=' '; [ \"$_t\" = {_token} ] && _k=\" $_p \"; for _f in /proc/[0-9]*/cmdline; do _a=; read -r _a <$_f; case \"$_a\" in *virtigo-{_token}*) "
        + """_q=${_f#/proc/}; _k="$_k${_q%/*} ";; esac; done; kill -STOP $_k; _n=1; """
        + """while [ $_n = 1 ]; do _n=0; for _f in /proc/[0-9]*/stat; do _a=; read -r _a <$_f; _q=${_a%% *}; [ -n "$_q" ] || continue; set -- ${_a##*) }; """
        + """case "$_k" in *" $_q "*) continue;; *" $2 "*|*" $4 "*) ;; *) continue;; esac; _k="$_k$_q "; _n=1; kill -STOP $_q; done; done; """
        + $"kill -9 $_k; _t=; {Say("killed")}\n";

    /// <summary>The lines that tell the shell a command and its input; the mark <c>taken</c> answers each.</summary>
    /// <param name="command">For <c>/bin/sh -c</c>.</param>
    /// <param name="input">What it reads.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when it cannot be typed.</exception>
    public IReadOnlyList<string> Tell(string command, ReadOnlySpan<byte> input)
    {
        string typed = Escape(Encoding.UTF8.GetBytes(command));
        string read = input.Length > LongestCommand ? new string('.', input.Length) : Escape(input);
        if (typed.Length > LongestCommand || read.Length > LongestCommand || command.Contains('\0', StringComparison.Ordinal))
        {
            throw new VirtigoException(FailureKind.Usage, string.Create(CultureInfo.InvariantCulture,
                $"A command of {typed.Length} bytes with {read.Length} bytes of input cannot be typed on a serial console, which takes {LongestCommand} of each, and no NUL in a command."),
                "Drive the machine through its agent: qemu-guest-agent and perl-base.");
        }

        return [.. Assign("_c", typed), .. Assign("_i", read)];
    }

    private IEnumerable<string> Assign(string name, string value) => value.Chunk(Piece).DefaultIfEmpty([])
        .Select((piece, at) => $" {name}={(at == 0 ? "" : $"\"${name}\"")}'{new string(piece)}'; {Say("taken")}\n");

    // What is typed never holds a mark in one piece, so that its echo is none.
    private string Say(string word, string arguments = "", char quote = '\'') => $"printf {quote}@@%s{word}@\\n{quote} virtigo-{_token}.{arguments}";

    private static string Escape(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        foreach (byte each in bytes)
        {
            _ = each is > 0x1f and < 0x7f and not (byte)'\'' and not (byte)'\\'
                ? text.Append((char)each)
                : text.Append("\\0").Append(Convert.ToString(each, 8).PadLeft(3, '0'));
        }

        return text.ToString();
    }
}
