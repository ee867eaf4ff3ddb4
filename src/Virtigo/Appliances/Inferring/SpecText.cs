using System.Globalization;
using System.Text;

namespace Virtigo.Appliances;

/// <summary>Writes a spec. Whatever a value is, the text reads back as that value.</summary>
internal sealed class SpecText
{
    private static readonly string[] s_words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"];
    private readonly StringBuilder _text = new();

    /// <summary>Adds lines for people; what cannot be shown is left out.</summary>
    public void Comment(string words)
    {
        foreach (string line in words.Split('\n'))
        {
            _text.Append("# ").Append([.. line.Take(300).Select(character => character == ' ' || char.IsLetterOrDigit(character) || char.IsPunctuation(character) || char.IsSymbol(character) ? character : '?')]).Append('\n');
        }
    }

    /// <summary>Adds a line as it is.</summary>
    public void Line(string line) => _text.Append(line).Append('\n');

    /// <summary>Adds a key with a value; nothing when there is none.</summary>
    public void Key(string key, string? value)
    {
        if (value is not null)
        {
            _text.Append(CultureInfo.InvariantCulture, $"{key}: {Scalar(value)}\n");
        }
    }

    /// <summary>Adds a key with a list of words; nothing when it is empty.</summary>
    public void List(string key, IReadOnlyList<string> values)
    {
        if (values.Count > 0)
        {
            _text.Append(CultureInfo.InvariantCulture, $"{key}: {Flow(values)}\n");
        }
    }

    /// <summary>Words as a list on one line.</summary>
    public static string Flow(IEnumerable<string> values) => $"[{string.Join(", ", values.Select(Scalar))}]";

    /// <summary>A mapping on one line; keys without a value are left out. Values are written as they are given.</summary>
    public static string Map(params (string Key, string? Written)[] entries) =>
        $"{{{string.Join(", ", entries.Where(entry => entry.Written is not null).Select(entry => $"{entry.Key}: {entry.Written}"))}}}";

    /// <summary>A value: as it is where that says the same, else in double quotes.</summary>
    public static string Scalar(string value)
    {
        bool plain = value.Length > 0 && char.IsAsciiLetter(value[0]) && value.All(character => char.IsAsciiLetterOrDigit(character) || character is '.' or '_' or '/' or '+' or '-' or '@')
            && !s_words.Contains(value.ToLowerInvariant());
        if (plain)
        {
            return value;
        }

        var quoted = new StringBuilder("\"");
        foreach (char character in value)
        {
            quoted.Append(character switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\t' => "\\t",
                < ' ' or (>= '\u007f' and <= '\u00a0') or '\u2028' or '\u2029' or '\ufeff' => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                _ => character.ToString(),
            });
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>A number, as it is written.</summary>
    public static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();
}
