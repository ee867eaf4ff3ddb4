namespace Virtigo.Cli.Output;

/// <summary>Text from a guest, a mirror or a file, made fit for a terminal.</summary>
internal static class Text
{
    /// <summary>The text with every control character, which a terminal might obey, replaced. Line ends and tabs stay.</summary>
    public static string Printable(string text) =>
        string.Concat(text.Select(character => char.IsControl(character) && character is not ('\n' or '\r' or '\t') ? '?' : character));

    /// <summary>The same on one line.</summary>
    public static string Plain(string text) => string.Concat(text.Select(character => char.IsControl(character) ? ' ' : character));
}
