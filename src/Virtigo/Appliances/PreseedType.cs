using System.Text.Json;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>Answers for debian-installer in its own words: the text itself, or the path of a file.</summary>
internal sealed class PreseedType : SettingType
{
    /// <summary>The most bytes of answers.</summary>
    public const int MaxBytes = 256 * 1024;

    public override string Name => "answers of debian-installer";

    /// <summary>Whether what is written is the answers themselves: they have blanks, which a path of a spec has not here.</summary>
    public static bool IsText(string written) => written.Any(char.IsWhiteSpace);

    /// <summary>Whether the answers have one in them that must not be shown.</summary>
    public static bool HoldsSecret(string text) => PreseedReader.Read(text).Any(entry => FragmentAnswer.IsSecret(entry.Question, entry.Type));

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        if (item is not YamlText text)
        {
            WrongType(item, key, problems);
            return null;
        }

        string? problem = !IsText(text.Value) ? ValueChecks.InnerPath(text.Value)
            : text.Value.Length > MaxBytes || text.Value.Any(character => char.IsControl(character) && character is not ('\n' or '\t')) || ValueChecks.Content(text.Value) is not null
                ? "is no text of answers: expected at most 256 KiB without control characters"
            : null;
        if (problem is not null)
        {
            // The text may hold a password.
            problems.Add(text, IsText(text.Value) ? $"{key.Path}: the text {problem}" : $"{key.Path}: {SpecProblems.Quote(text.Value)} {problem}");
            return null;
        }

        return text.Value;
    }

    public override void WriteSchema(Utf8JsonWriter schema) => schema.WriteString("type", "string");
}
