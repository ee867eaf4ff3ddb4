using System.Text.RegularExpressions;
using Virtigo.Host;

namespace Virtigo.Installers.Debian;

/// <summary>Checks an answer against the question it answers.</summary>
internal static partial class PreseedValues
{
    /// <summary>Adds what is wrong with the entry's question, type and value.</summary>
    public static void Check(PreseedLine entry, TemplateCatalog? templates, List<PreseedFinding> findings)
    {
        void Add(int field, PreseedSeverity severity, string message, string? hint) =>
            findings.Add(new PreseedFinding(entry.Line, entry.Column(field), severity, message, hint));

        if (entry.Type == "seen")
        {
            CheckBoolean(entry, Add);
            return;
        }

        DebconfTemplate? template = templates?.Find(entry.Question) ?? WellKnownQuestions.Find(entry.Question);
        if (template is null)
        {
            CheckBoolean(entry, Add);
            if (templates is not null && !DynamicQuestion().IsMatch(entry.Question))
            {
                Unknown(entry, templates, Add);
            }

            return;
        }

        if (template.Type != entry.Type && !template.IsText)
        {
            Add(2, IsAnyText(template.Type) && IsAnyText(entry.Type) ? PreseedSeverity.Note : PreseedSeverity.Warning, $"{entry.Question} is of type {template.Type}, not {entry.Type}.",
                $"Write: {PreseedForm.Shown(entry.Owner)} {entry.Question} {template.Type} {PreseedForm.Shown(entry.Value)}".TrimEnd());
        }

        switch (template.Type)
        {
            case "boolean":
                CheckBoolean(entry with { Fields = [entry.Owner, entry.Question, "boolean", entry.Value] }, Add);
                break;
            case "select" when template.Choices.Count > 0 && entry.Value.Trim().Length > 0:
                CheckChoice(template, entry.Value.Trim(), Add);
                break;
            case "multiselect" when template.Choices.Count > 0:
                foreach (string choice in DebconfTemplate.SplitChoices(entry.Value.Trim()))
                {
                    CheckChoice(template, choice, Add);
                }

                break;
            case "error":
                Add(1, PreseedSeverity.Note, $"{entry.Question} reports an error; answering it hides why the install fails.", "Remove the line.");
                break;
        }
    }

    private static void CheckBoolean(PreseedLine entry, Action<int, PreseedSeverity, string, string?> add)
    {
        string value = entry.Value.Trim();
        if (entry.Type is "boolean" or "seen" && value is not ("true" or "false"))
        {
            string? meant = value.ToLowerInvariant() switch
            {
                "yes" or "y" or "1" or "on" or "true" => "true",
                "no" or "n" or "0" or "off" or "false" => "false",
                _ => null,
            };
            add(3, PreseedSeverity.Error, $"{PreseedForm.Shown(entry.Question)} is true or false, not \"{PreseedForm.Shown(value)}\".",
                meant is null ? "Write true or false." : $"Write {meant}.");
        }
    }

    private static void CheckChoice(DebconfTemplate template, string value, Action<int, PreseedSeverity, string, string?> add)
    {
        if (template.Choices.Contains(value, StringComparer.Ordinal) || template.Labels.Contains(value, StringComparer.Ordinal))
        {
            return;
        }

        IReadOnlyList<string> near = NearMatches.Of(value, template.Choices);
        string offered = string.Join(", ", template.Choices.Take(12)) + (template.Choices.Count > 12 ? ", ..." : "");
        add(3, PreseedSeverity.Error, $"\"{PreseedForm.Shown(value)}\" is not among the choices of {template.Name}.",
            near.Count > 0 ? $"Did you mean {near[0]}? The choices are: {offered}." : $"The choices are: {offered}.");
    }

    private static void Unknown(PreseedLine entry, TemplateCatalog templates, Action<int, PreseedSeverity, string, string?> add)
    {
        IReadOnlyList<string> near =
            NearMatches.Of(entry.Question, templates.All.Where(t => !t.IsText).Select(t => t.Name).Concat(WellKnownQuestions.Names));
        string question = PreseedForm.Shown(entry.Question);
        if (near.Count == 0 && entry.Owner == "d-i" && !templates.All.Any(t => SameComponent(t.Name, entry.Question)))
        {
            add(1, PreseedSeverity.Note, $"{question} belongs to a component that this installer does not load.", null);
        }
        else if (entry.Owner == "d-i" || near.Count > 0)
        {
            add(1, PreseedSeverity.Warning, $"No known component asks {question}; the installer would not notice.",
                near.Count > 0 ? $"Did you mean {string.Join(" or ", near)}?" : "Check the name against the installation guide, or remove the line.");
        }
        else
        {
            add(1, PreseedSeverity.Note, $"{question} belongs to the package {PreseedForm.Shown(entry.Owner)}, whose questions are not known here.", null);
        }
    }

    /// <summary>Types whose value is any text: the installer stores it alike.</summary>
    private static bool IsAnyText(string type) => type is "string" or "select" or "multiselect" or "text";

    private static bool SameComponent(string question, string other) =>
        other.IndexOf('/', StringComparison.Ordinal) is var slash and > 0
        && question.AsSpan().StartsWith(other.AsSpan(0, slash + 1), StringComparison.Ordinal);

    [GeneratedRegex(
        @"\A(apt-setup/local[0-9]{1,2}/(repository|comment|source|key|options)"
        + @"|base-installer/(debootstrap_variant|kernel/linux/(initrd|extra-packages)(-[0-9.]{1,8})?)|mirror/udeb/[a-z]+)\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex DynamicQuestion();
}
