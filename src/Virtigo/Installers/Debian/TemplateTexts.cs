namespace Virtigo.Installers.Debian;

/// <summary>Finds a template by what the screen shows of it: its description with the variables filled in.</summary>
internal sealed class TemplateTexts
{
    private readonly Dictionary<string, List<DebconfTemplate>> _fixed = new(StringComparer.Ordinal);
    private readonly List<(string[] Parts, DebconfTemplate Template)> _variable = [];

    /// <summary>Adds a template; those nobody is asked are left out.</summary>
    public void Add(DebconfTemplate template)
    {
        string text = template.Description.Trim();
        if (template.IsText || text.Length == 0 || text.StartsWith("for internal use", StringComparison.Ordinal))
        {
            return;
        }

        if (!text.Contains("${", StringComparison.Ordinal))
        {
            if (!_fixed.TryGetValue(text, out List<DebconfTemplate>? alike))
            {
                alike = _fixed[text] = [];
            }

            alike.RemoveAll(t => t.Name == template.Name);
            alike.Add(template);
            return;
        }

        string[] parts = Parts(text);
        if (parts.Sum(p => p.Length) >= 8)
        {
            _variable.RemoveAll(v => v.Template.Name == template.Name);
            _variable.Add((parts, template));
        }
    }

    /// <summary>The templates with this text: several when they ask in the same words, none when nothing asks so.</summary>
    public IReadOnlyList<DebconfTemplate> Find(string shown)
    {
        string text = shown.Trim();
        if (_fixed.TryGetValue(text, out List<DebconfTemplate>? alike))
        {
            return alike;
        }

        return [.. _variable.Where(v => Matches(v.Parts, text)).OrderByDescending(v => v.Parts.Sum(p => p.Length)).Select(v => v.Template).Take(1)];
    }

    private static string[] Parts(string text)
    {
        var parts = new List<string>();
        int from = 0;
        while (text.IndexOf("${", from, StringComparison.Ordinal) is var start and >= 0)
        {
            parts.Add(text[from..start]);
            int end = text.IndexOf('}', start);
            from = end < 0 ? text.Length : end + 1;
        }

        parts.Add(text[from..]);
        return [.. parts];
    }

    private static bool Matches(string[] parts, string text)
    {
        string first = parts[0], last = parts[^1];
        if (text.Length < first.Length + last.Length
            || !text.StartsWith(first, StringComparison.Ordinal) || !text.EndsWith(last, StringComparison.Ordinal))
        {
            return false;
        }

        int at = first.Length;
        foreach (string part in parts.AsSpan(1, parts.Length - 2))
        {
            int found = text.IndexOf(part, at, StringComparison.Ordinal);
            if (found < 0 || found + part.Length > text.Length - last.Length)
            {
                return false;
            }

            at = found + part.Length;
        }

        return true;
    }
}
