namespace Virtigo.Machines;

/// <summary>The commands of Linux's SysRq, by name.</summary>
internal static class SysRqCommands
{
    private static readonly Dictionary<string, char> s_names = new(StringComparer.OrdinalIgnoreCase)
    {
        ["reboot"] = 'b', ["crash"] = 'c', ["terminate-all"] = 'e', ["oom-kill"] = 'f', ["help"] = 'h', ["kill-all"] = 'i', ["thaw"] = 'j',
        ["backtrace"] = 'l', ["memory"] = 'm', ["poweroff"] = 'o', ["registers"] = 'p', ["timers"] = 'q', ["sync"] = 's', ["tasks"] = 't',
        ["remount-read-only"] = 'u', ["blocked"] = 'w',
    };

    /// <summary>The names, in the order of the alphabet.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. s_names.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Whether a command has the kernel tell something, and changes nothing.</summary>
    public static bool Tells(char key) => key is 'l' or 'm' or 'p' or 'q' or 't' or 'w';

    /// <summary>Whether a command may be given again when it is not known whether it was taken: all but those that end the system or processes.</summary>
    public static bool Repeatable(char key) => key is not ('b' or 'c' or 'e' or 'f' or 'i' or 'k' or 'o');

    /// <summary>The key of a command, given by itself or by its name.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when there is no such command.</exception>
    public static char Key(string command) => command switch
    {
        [var key] when char.IsAsciiLetterOrDigit(key) => char.ToLowerInvariant(key),
        _ when s_names.TryGetValue(command, out char key) => key,
        _ => throw new VirtigoException(FailureKind.Usage, $"There is no SysRq command \"{command}\".",
            $"Use one letter or digit, or one of: {string.Join(", ", Names)}."),
    };
}
