namespace Virtigo.Host;

/// <summary>Shows a command so that it can be pasted into a shell.</summary>
internal static class ShellQuote
{
    /// <summary>Quotes one word for a POSIX shell, only if it needs it.</summary>
    public static string Word(string word) =>
        word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || "%+,-./:=@_".Contains(c, StringComparison.Ordinal))
            ? word
            : "'" + word.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    /// <summary>Quotes a whole command.</summary>
    public static string Command(string program, IEnumerable<string> arguments) =>
        string.Join(' ', arguments.Prepend(program).Select(Word));
}
