using System.Text;
using System.Text.RegularExpressions;
using Virtigo.Host;

namespace Virtigo.Profiles;

/// <summary>What kind of thing a profile changes.</summary>
internal enum ChangeKind
{
    /// <summary>A file with its whole content.</summary>
    File,

    /// <summary>A value of the running kernel's.</summary>
    Knob,

    /// <summary>A unit of systemd.</summary>
    Unit,

    /// <summary>A module of the kernel's.</summary>
    Module,

    /// <summary>An offload of a network card: the card and the offload.</summary>
    Offload,
}

/// <summary>
/// One thing that a profile changes. Its state is a short text: of a file <c>=</c> and its content in base64, or <c>-</c> for none; of a knob its
/// value; of a unit whether it is enabled, linked and active; of a module <c>loaded</c> or <c>absent</c>; of an offload <c>on</c> or <c>off</c>.
/// </summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Target">Which one; one that <see cref="ProfileTargets"/> knows.</param>
/// <param name="Wanted">The state it is to have; of a unit <see cref="On"/>.</param>
internal sealed partial record ProfileChange(ChangeKind Kind, string Target, string Wanted)
{
    /// <summary>The wish for a unit that runs, now and after each boot.</summary>
    public const string On = "on";

    /// <summary>The state of a file that is not there.</summary>
    public const string Absent = "-";

    /// <summary>The longest state.</summary>
    public const int MaxState = 48 << 10;

    /// <summary>A file with a content.</summary>
    public static ProfileChange File(string path, string content) => new(ChangeKind.File, path, "=" + Convert.ToBase64String(Encoding.UTF8.GetBytes(content)));

    /// <summary>Whether a text is a state that a thing of a kind can have.</summary>
    public static bool IsState(ChangeKind kind, string state) => state.Length <= MaxState && kind switch
    {
        ChangeKind.File => state == Absent || (state.StartsWith('=') && IsBase64(state[1..])),
        ChangeKind.Knob => Word().IsMatch(state),
        ChangeKind.Unit => UnitState().IsMatch(state),
        ChangeKind.Module => state is "loaded" or "absent",
        ChangeKind.Offload => state is "on" or "off",
        _ => false,
    };

    /// <summary>Whether a state is what is wanted.</summary>
    public bool IsMet(string state) => Kind == ChangeKind.Unit && Wanted == On
        ? state.Split(' ') is [var enabled, _, "active" or "activating"] && !enabled.StartsWith("masked", StringComparison.Ordinal) && enabled is not ("disabled" or "none")
        : Kind == ChangeKind.Unit ? SameUnit(state, Wanted)
        : state == Wanted;

    /// <summary>The command that prints the state.</summary>
    public string ReadCommand()
    {
        string target = ShellQuote.Word(Target);
        return Kind switch
        {
            ChangeKind.File => $"if [ -e {target} ]; then printf =; base64 -w0 < {target}; else printf -- {Absent}; fi",
            ChangeKind.Knob => $"cat {target}",
            ChangeKind.Unit => $"""
                e=$(systemctl is-enabled {target} 2>/dev/null) l=unlinked; a=$(systemctl is-active {target} 2>/dev/null)
                for f in /etc/systemd/system/*.wants/{target}; do [ -L "$f" ] && l=linked; done
                echo "$(echo "$e" | head -n 1 | grep . || echo none) $l $a"
                """,
            ChangeKind.Module => $"if [ -e /sys/module/{target} ]; then echo loaded; else echo absent; fi",
            _ => GuestMeter.Command(["get", .. Target.Split(' ')]),
        };
    }

    /// <summary>The command that fails when what has the state is not there: a network card that was taken away, a knob of another kernel's; null for what always has one.</summary>
    public string? ThereCommand() => Kind switch
    {
        ChangeKind.Knob => $"[ -e {ShellQuote.Word(Target)} ]",
        ChangeKind.Offload => $"[ -e {ShellQuote.Word("/sys/class/net/" + Target.Split(' ')[0])} ]",
        _ => null,
    };

    /// <summary>The command that gives it a state.</summary>
    /// <param name="state">The state, or <see cref="On"/>.</param>
    public string WriteCommand(string state)
    {
        string target = ShellQuote.Word(Target);
        return Kind switch
        {
            ChangeKind.File => FileCommand(target, state),
            ChangeKind.Knob => $"printf %s {ShellQuote.Word(state)} > {target}",
            ChangeKind.Unit => UnitCommand(target, state),
            ChangeKind.Module => state == "loaded" ? $"modprobe {target}" : $"modprobe -r {target}",
            _ => GuestMeter.Command(["set", .. Target.Split(' '), state]),
        };
    }

    /// <summary>A state in a few words.</summary>
    public string Words(string state) => Kind switch
    {
        ChangeKind.File => state == Absent ? "not there" : $"\"{Shown(state)}\"",
        ChangeKind.Unit => state.Replace(" linked", "", StringComparison.Ordinal).Replace(" unlinked", "", StringComparison.Ordinal),
        _ => state,
    };

    private static string Shown(string state)
    {
        const int most = 100;
        string text = Encoding.UTF8.GetString(Convert.FromBase64String(state[1..]));
        string line = string.Concat(text.Trim().Select(letter => letter == '\n' ? ' ' : letter)).Trim();
        line = string.Concat(line.Where(letter => !char.IsControl(letter)));
        return line.Length > most ? line[..most] + "…" : line;
    }

    private static bool IsBase64(string text)
    {
        byte[] into = new byte[text.Length];
        return Convert.TryFromBase64String(text, into, out _);
    }

    private static bool SameUnit(string state, string other) => (state.Split(' '), other.Split(' ')) is ([var a, var b, var c], [var x, var y, var z])
        && (a, b, c is "active" or "activating") == (x, y, z is "active" or "activating");

    private string FileCommand(string target, string state)
    {
        string folder = ShellQuote.Word(Path.GetDirectoryName(Target)!);
        string written = state == Absent
            ? $"rm -f {target}{(Target.Contains(".link.d/", StringComparison.Ordinal) ? $" && rmdir --ignore-fail-on-non-empty {folder}" : "")}"
            : $"mkdir -p {folder} && printf %s {ShellQuote.Word(state[1..])} | base64 -d > {target}";
        return Target.StartsWith("/etc/default/grub.d/", StringComparison.Ordinal) ? written + " && update-grub 2>&1"
            : Target.StartsWith("/etc/systemd/network/", StringComparison.Ordinal) ? written + " && udevadm control --reload"
            : written;
    }

    private static string UnitCommand(string target, string state)
    {
        const string quiet = "2>/dev/null";
        string unmask = $"systemctl unmask {target} {quiet}; systemctl unmask --runtime {target} {quiet}";
        if (state == On)
        {
            return $"{unmask}; systemctl enable {target} {quiet}; systemctl start {target}";
        }

        string[] words = state.Split(' ');
        return string.Join("; ",
        [
            unmask,
            $"systemctl {(words[1] == "linked" ? "enable" : "disable")} {target} {quiet}",
            $"systemctl {(words[2] is "active" or "activating" ? "start" : "stop")} {target}",
            .. words[0] switch
            {
                "masked" => [$"systemctl mask {target} {quiet}"],
                "masked-runtime" => [$"systemctl mask --runtime {target} {quiet}"],
                _ => Array.Empty<string>(),
            },
        ]);
    }

    [GeneratedRegex(@"\A[A-Za-z0-9_.-]{1,64}\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Word();

    [GeneratedRegex(@"\A[a-z-]{1,30} (linked|unlinked) [a-z-]{1,30}\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex UnitState();
}
