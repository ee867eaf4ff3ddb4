using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Virtigo.Appliances;

/// <summary>Fills <c>{{name}}</c> in a text with values of the plan; <c>{{"text"}}</c> stands for the text itself.</summary>
internal static partial class TemplateText
{
    /// <summary>Fills a template.</summary>
    /// <param name="template">The template, as UTF-8.</param>
    /// <param name="values">The values by name.</param>
    /// <param name="file">The template's file, or the place it is written at, for messages.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: an unknown name or an unfinished place, with line and column.</exception>
    public static byte[] Fill(ReadOnlyMemory<byte> template, IReadOnlyDictionary<string, string> values, string file)
    {
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(template.Span);
        }
        catch (DecoderFallbackException broken)
        {
            throw new VirtigoException(FailureKind.Usage, $"{file} is not UTF-8 text, so it cannot be a template.", "Leave out template: true.", broken);
        }

        var filled = new StringBuilder();
        int from = 0;
        for (int open; (open = text.IndexOf("{{", from, StringComparison.Ordinal)) >= 0;)
        {
            filled.Append(text, from, open - from);
            Match place = Place().Match(text, open);
            if (!place.Success)
            {
                throw Wrong(text, open, file, "this is not a name in double braces, as in: {{hostname}}");
            }

            if (place.Groups["literal"] is { Success: true } literal)
            {
                filled.Append(literal.Value);
            }
            else
            {
                string name = place.Groups["name"].Value;
                filled.Append(values.TryGetValue(name, out string? value)
                    ? value
                    : throw Wrong(text, open, file, $"{SpecProblems.Quote(name)} is no value of the plan"
                        + (SpecProblems.Suggest(name, values.Keys) is { Length: > 0 } meant ? meant : $"; expected one of {string.Join(", ", values.Keys)}")));
            }

            from = open + place.Length;
        }

        return Encoding.UTF8.GetBytes(filled.Append(text, from, text.Length - from).ToString());
    }

    private static VirtigoException Wrong(string text, int at, string file, string problem)
    {
        int line = text.AsSpan(0, at).Count('\n') + 1;
        int column = at - text.LastIndexOf('\n', Math.Max(0, at - 1), Math.Max(0, at));
        return new VirtigoException(FailureKind.Usage, string.Create(CultureInfo.InvariantCulture, $"{file}:{line}:{column}: {problem}."),
            "Write {{\"{{\"}} for two braces that mean themselves.");
    }

    [GeneratedRegex("""\G\{\{\s*(?:"(?<literal>[^"\n]{0,200})"|(?<name>[A-Za-z0-9_.-]{1,64}))\s*\}\}""", RegexOptions.CultureInvariant)]
    private static partial Regex Place();
}
