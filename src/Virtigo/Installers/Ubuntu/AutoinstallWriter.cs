using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Virtigo.Installers.Ubuntu;

/// <summary>Writes an autoinstall answer as the YAML of a cloud-config.</summary>
internal static class AutoinstallWriter
{
    private const string Hidden = "***";

    /// <summary>The whole text, with each part's reason.</summary>
    /// <param name="answers">What stands below <c>autoinstall</c>.</param>
    /// <param name="redact">Whether secrets are left out.</param>
    public static string Write(AutoinstallMap answers, bool redact)
    {
        var text = new StringBuilder("#cloud-config\nautoinstall:\n");
        Map(text, answers, 2, redact);
        return text.ToString();
    }

    /// <summary>The values alone, on one line: equal for equal answers, whatever their reasons.</summary>
    public static string Compact(AutoinstallMap answers) => Inline(answers, redact: false);

    private static void Map(StringBuilder text, AutoinstallMap map, int indent, bool redact)
    {
        foreach (AutoinstallEntry entry in map.Entries)
        {
            if (entry.Reason.Length > 0)
            {
                text.Append(' ', indent).Append("# ").Append(entry.Reason.ReplaceLineEndings(" ")).Append('\n');
            }

            text.Append(' ', indent).Append(Key(entry.Key)).Append(':');
            Value(text, entry.Value, indent + 2, redact);
        }
    }

    private static void Value(StringBuilder text, AutoinstallNode value, int indent, bool redact)
    {
        switch (value)
        {
            case AutoinstallMap { Entries.Count: > 0 } map:
                text.Append('\n');
                Map(text, map, indent, redact);
                break;
            case AutoinstallList { Items.Count: > 0 } list:
                text.Append('\n');
                foreach (AutoinstallNode item in list.Items)
                {
                    text.Append(' ', indent).Append("- ").Append(Inline(item, redact)).Append('\n');
                }

                break;
            default:
                text.Append(' ').Append(Inline(value, redact)).Append('\n');
                break;
        }
    }

    private static string Inline(AutoinstallNode value, bool redact) => value switch
    {
        AutoinstallMap map => "{" + string.Join(", ", map.Entries.Select(entry => $"{Key(entry.Key)}: {Inline(entry.Value, redact)}")) + "}",
        AutoinstallList list => "[" + string.Join(", ", list.Items.Select(item => Inline(item, redact))) + "]",
        AutoinstallFlag flag => flag.Value ? "true" : "false",
        AutoinstallNumber number => number.Value.ToString(CultureInfo.InvariantCulture),
        AutoinstallText { Secret: true } when redact => Quoted(Hidden),
        AutoinstallText text => Quoted(text.Value),
        _ => "null",
    };

    private static string Key(string key) => key.Length > 0 && char.IsAsciiLetterLower(key[0]) && key.All(character => char.IsAsciiLetterLower(character) || char.IsAsciiDigit(character) || character is '-' or '_') ? key : Quoted(key);

    // What JSON quotes, YAML reads.
    private static string Quoted(string text) => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";
}
