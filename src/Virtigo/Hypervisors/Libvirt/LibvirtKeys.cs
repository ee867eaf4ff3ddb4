namespace Virtigo.Hypervisors.Libvirt;

/// <summary>Linux's names of keys, which libvirt takes, by QEMU's.</summary>
internal static class LibvirtKeys
{
    private static readonly Dictionary<string, string> Special = new(StringComparer.Ordinal)
    {
        ["ret"] = "ENTER", ["esc"] = "ESC", ["spc"] = "SPACE", ["tab"] = "TAB", ["backspace"] = "BACKSPACE",
        ["ctrl"] = "LEFTCTRL", ["ctrl_r"] = "RIGHTCTRL", ["alt"] = "LEFTALT", ["alt_r"] = "RIGHTALT", ["altgr"] = "RIGHTALT",
        ["shift"] = "LEFTSHIFT", ["shift_r"] = "RIGHTSHIFT", ["meta_l"] = "LEFTMETA", ["meta_r"] = "RIGHTMETA", ["menu"] = "MENU",
        ["up"] = "UP", ["down"] = "DOWN", ["left"] = "LEFT", ["right"] = "RIGHT", ["home"] = "HOME", ["end"] = "END",
        ["pgup"] = "PAGEUP", ["pgdn"] = "PAGEDOWN", ["insert"] = "INSERT", ["delete"] = "DELETE",
        ["minus"] = "MINUS", ["equal"] = "EQUAL", ["bracket_left"] = "LEFTBRACE", ["bracket_right"] = "RIGHTBRACE", ["semicolon"] = "SEMICOLON",
        ["apostrophe"] = "APOSTROPHE", ["grave_accent"] = "GRAVE", ["backslash"] = "BACKSLASH", ["comma"] = "COMMA", ["dot"] = "DOT",
        ["slash"] = "SLASH", ["less"] = "102ND", ["caps_lock"] = "CAPSLOCK", ["num_lock"] = "NUMLOCK", ["scroll_lock"] = "SCROLLLOCK",
        ["print"] = "SYSRQ", ["sysrq"] = "SYSRQ", ["pause"] = "PAUSE", ["power"] = "POWER", ["sleep"] = "SLEEP", ["wake"] = "WAKEUP",
        ["kp_add"] = "KPPLUS", ["kp_subtract"] = "KPMINUS", ["kp_multiply"] = "KPASTERISK", ["kp_divide"] = "KPSLASH", ["kp_decimal"] = "KPDOT",
        ["kp_enter"] = "KPENTER", ["asterisk"] = "KPASTERISK",
    };

    /// <summary>Linux's name of a key.</summary>
    /// <param name="key">QEMU's.</param>
    /// <returns>Null when there is no such key.</returns>
    public static string? Find(string key) => key switch
    {
        [>= 'a' and <= 'z' or >= '0' and <= '9'] => "KEY_" + key.ToUpperInvariant(),
        ['f', >= '1' and <= '9'] or ['f', '1', >= '0' and <= '2'] => "KEY_" + key.ToUpperInvariant(),
        ['k', 'p', '_', >= '0' and <= '9'] => "KEY_KP" + key[^1],
        _ => Special.TryGetValue(key, out string? name) ? "KEY_" + name : null,
    };
}
