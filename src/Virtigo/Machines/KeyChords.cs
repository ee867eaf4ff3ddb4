namespace Virtigo.Machines;

/// <summary>What people call keys, as QEMU calls them. Text is typed as on a US keyboard.</summary>
internal static class KeyChords
{
    private const int MostKeys = 8;

    private static readonly Dictionary<string, string> s_names = new(StringComparer.OrdinalIgnoreCase)
    {
        ["enter"] = "ret", ["return"] = "ret", ["ret"] = "ret", ["escape"] = "esc", ["esc"] = "esc", ["space"] = "spc", ["spc"] = "spc",
        ["del"] = "delete", ["delete"] = "delete", ["ins"] = "insert", ["insert"] = "insert", ["backspace"] = "backspace", ["tab"] = "tab",
        ["up"] = "up", ["down"] = "down", ["left"] = "left", ["right"] = "right", ["home"] = "home", ["end"] = "end",
        ["pageup"] = "pgup", ["pgup"] = "pgup", ["pagedown"] = "pgdn", ["pgdn"] = "pgdn", ["print"] = "print", ["sysrq"] = "sysrq", ["pause"] = "pause",
        ["ctrl"] = "ctrl", ["control"] = "ctrl", ["alt"] = "alt", ["shift"] = "shift", ["altgr"] = "alt_r", ["super"] = "meta_l", ["meta"] = "meta_l",
        ["win"] = "meta_l", ["menu"] = "menu", ["capslock"] = "caps_lock", ["numlock"] = "num_lock",
        ["minus"] = "minus", ["equal"] = "equal", ["comma"] = "comma", ["dot"] = "dot", ["slash"] = "slash", ["backslash"] = "backslash",
        ["semicolon"] = "semicolon", ["apostrophe"] = "apostrophe", ["grave"] = "grave_accent",
    };

    private static readonly Dictionary<char, string> s_plain = new()
    {
        [' '] = "spc", ['\n'] = "ret", ['\t'] = "tab", ['-'] = "minus", ['='] = "equal", ['['] = "bracket_left", [']'] = "bracket_right",
        [';'] = "semicolon", ['\''] = "apostrophe", ['`'] = "grave_accent", ['\\'] = "backslash", [','] = "comma", ['.'] = "dot", ['/'] = "slash",
    };

    private static readonly Dictionary<char, char> s_shifted = "!1@2#3$4%5^6&7*8(9)0_-+={[}]:;\"'~`|\\<,>.?/".Chunk(2).ToDictionary(pair => pair[0], pair => pair[1]);

    /// <summary>The keys of a chord such as <c>ctrl-alt-delete</c>, <c>alt-f2</c> or <c>a</c>.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when there is no such key.</exception>
    public static IReadOnlyList<string> Chord(string chord)
    {
        string[] parts = chord.Split('-');
        return parts.Length <= MostKeys
            ? [.. parts.Select(part => Key(part, chord))]
            : throw new VirtigoException(FailureKind.Usage, $"\"{chord}\" presses more than {MostKeys} keys together.");
    }

    /// <summary>The chords that type a text, one after the other.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> for a character that a US keyboard has not.</exception>
    public static IReadOnlyList<IReadOnlyList<string>> Text(string text) => [.. text.Select(Character)];

    private static IReadOnlyList<string> Character(char character) =>
        char.IsAsciiLetterUpper(character) ? ["shift", char.ToLowerInvariant(character).ToString()]
        : char.IsAsciiLetterLower(character) || char.IsAsciiDigit(character) ? [character.ToString()]
        : s_plain.TryGetValue(character, out string? plain) ? [plain]
        : s_shifted.TryGetValue(character, out char under) ? ["shift", .. Character(under)]
        : throw new VirtigoException(FailureKind.Usage,
            $"The character '{character}' cannot be typed on a US keyboard.", "Send it by a command, or press its keys as a chord.");

    private static string Key(string name, string chord)
    {
        if (name is [var single] && (char.IsAsciiLetter(single) || char.IsAsciiDigit(single) || s_plain.ContainsKey(single)))
        {
            return s_plain.TryGetValue(single, out string? plain) ? plain : name.ToLowerInvariant();
        }

        if (name is ['f' or 'F', .. var number] && int.TryParse(number, out int f) && f is >= 1 and <= 12)
        {
            return name.ToLowerInvariant();
        }

        return s_names.TryGetValue(name, out string? code) ? code
            : throw new VirtigoException(FailureKind.Usage, $"There is no key \"{name}\" for \"{chord}\".",
                $"Keys are letters, digits, f1 to f12, and: {string.Join(", ", s_names.Keys.Order(StringComparer.Ordinal))}.");
    }
}
