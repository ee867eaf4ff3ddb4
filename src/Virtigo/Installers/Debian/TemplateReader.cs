namespace Virtigo.Installers.Debian;

/// <summary>Reads debconf template files, passing over translations. The files come from packages: nothing is trusted, every size is bounded.</summary>
internal static class TemplateReader
{
    private const int MaximumFieldLength = 64 * 1024;

    public static IEnumerable<DebconfTemplate> Read(string package, TextReader reader)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        string? current = null;
        while (reader.ReadLine() is { } line)
        {
            if (line.AsSpan().Trim().IsEmpty)
            {
                if (Make(package, fields) is { } template)
                {
                    yield return template;
                }

                fields.Clear();
                current = null;
            }
            else if (line[0] is ' ' or '\t')
            {
                Continue(fields, current, line);
            }
            else
            {
                current = Start(fields, line);
            }
        }

        if (Make(package, fields) is { } last)
        {
            yield return last;
        }
    }

    private static string? Start(Dictionary<string, string> fields, string line)
    {
        int colon = line.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0)
        {
            return null;
        }

        string name = line[..colon].TrimStart('_');
        if (name is not ("Template" or "Type" or "Choices" or "Choices-C" or "Default" or "Description"))
        {
            return null;
        }

        fields[name] = Bounded(line[(colon + 1)..].Trim());
        return name;
    }

    private static void Continue(Dictionary<string, string> fields, string? current, string line)
    {
        if (current is "Choices" or "Choices-C" && fields[current].Length < MaximumFieldLength)
        {
            fields[current] = Bounded(fields[current] + " " + line.Trim());
        }
    }

    private static DebconfTemplate? Make(string package, Dictionary<string, string> fields)
    {
        if (!fields.TryGetValue("Template", out string? name) || !fields.TryGetValue("Type", out string? type) || name.Length == 0)
        {
            return null;
        }

        IReadOnlyList<string> labels = ChoicesOf(fields, "Choices");
        IReadOnlyList<string> values = ChoicesOf(fields, "Choices-C");
        if (values.Count == 0)
        {
            values = labels;
        }

        return new DebconfTemplate(name, type, values, labels.Count == values.Count ? labels : [],
            fields.GetValueOrDefault("Default"), fields.GetValueOrDefault("Description") ?? "", package);
    }

    private static IReadOnlyList<string> ChoicesOf(Dictionary<string, string> fields, string field) =>
        fields.TryGetValue(field, out string? text) && !text.Contains("${", StringComparison.Ordinal)
            ? DebconfTemplate.SplitChoices(text)
            : [];

    private static string Bounded(string text) => text.Length <= MaximumFieldLength ? text : text[..MaximumFieldLength];
}
