using Virtigo.Host;

namespace Virtigo.Installers.Debian;

/// <summary>Checks whether an entry of a preseed file has the form that the installer reads.</summary>
internal static class PreseedForm
{
    private static readonly string[] s_types = ["string", "boolean", "select", "multiselect", "password", "note", "text", "error", "title", "seen"];

    /// <summary>Adds what is wrong with the entry's form.</summary>
    /// <returns>Whether the entry can be read as an answer at all.</returns>
    public static bool Check(PreseedLine entry, List<PreseedFinding> findings)
    {
        void Add(int field, PreseedSeverity severity, string message, string? hint) =>
            findings.Add(new PreseedFinding(entry.Line, entry.Column(field), severity, message, hint));

        if (entry.Fields.Count < 2)
        {
            Add(0, PreseedSeverity.Error, $"\"{Shown(entry.Owner)}\" is not an answer: an answer is OWNER QUESTION TYPE VALUE. The installer stops reading here.",
                "Write for example: d-i passwd/make-user boolean false");
            return false;
        }

        if (entry.Owner.Contains('/', StringComparison.Ordinal))
        {
            Add(0, PreseedSeverity.Error, $"The owner is missing before {Shown(entry.Owner)}.", $"Write: d-i {Shown(entry.Owner)} ...");
            return false;
        }

        if (entry.Fields.Count < 3)
        {
            Add(1, PreseedSeverity.Error, $"{Shown(entry.Question)} has neither type nor value. The installer stops reading here.",
                $"Write: {Shown(entry.Owner)} {Shown(entry.Question)} string VALUE");
            return false;
        }

        if (!s_types.Contains(entry.Type))
        {
            IReadOnlyList<string> near = NearMatches.Of(entry.Type, s_types);
            Add(2, PreseedSeverity.Error,
                $"\"{Shown(entry.Type)}\" is not a type of debconf; it is taken for the type and lost from the value.",
                near.Count > 0 ? $"Did you mean {near[0]}?" : $"The types are {string.Join(", ", s_types)}.");
            return false;
        }

        if (entry.Gap.Length > 1 || entry.Gap.Contains('\t', StringComparison.Ordinal))
        {
            Add(3, PreseedSeverity.Note, "There is more than one space between type and value; debconf-set-selections of an installed system takes "
                + "what follows the first one for the value.", "Put exactly one space there.");
        }

        if (entry.Value.Length > 0 && char.IsWhiteSpace(entry.Value[^1]))
        {
            Add(3, entry.Type is "boolean" or "select" or "multiselect" ? PreseedSeverity.Error : PreseedSeverity.Warning,
                $"The value of {Shown(entry.Question)} ends in blanks, which belong to it.", "Remove the blanks at the end of the line.");
        }

        return true;
    }

    /// <summary>A piece of the file, short enough for a message.</summary>
    internal static string Shown(string text)
    {
        string clean = string.Concat(text.Take(80).Select(c => char.IsControl(c) ? '?' : c));
        return text.Length > 80 ? clean + "..." : clean;
    }
}
