namespace Virtigo.Installers.Debian;

/// <summary>A question that debian-installer or a package may ask, in English.</summary>
/// <param name="Name">The question's debconf name.</param>
/// <param name="Type">The debconf type: string, boolean, select, multiselect, password, note, error, text, title.</param>
/// <param name="Choices">The values an answer may have, untranslated; empty when they are only known at run time or there are none.</param>
/// <param name="Labels">What the screen shows for each of <paramref name="Choices"/>; as many, or empty.</param>
/// <param name="Default">The answer when nobody gives one; null when the template has none.</param>
/// <param name="Description">The question's first line.</param>
/// <param name="Package">The package that the template came in.</param>
public sealed record DebconfTemplate(
    string Name,
    string Type,
    IReadOnlyList<string> Choices,
    IReadOnlyList<string> Labels,
    string? Default,
    string Description,
    string Package)
{
    /// <summary>Whether nobody is ever asked this: it is shown, or is part of a screen.</summary>
    public bool IsText => Type is "text" or "title";

    /// <summary>Splits a choice list as debconf does: at commas, with <c>\,</c> and <c>\ </c> for the characters themselves.</summary>
    /// <param name="choices">The field's value.</param>
    public static IReadOnlyList<string> SplitChoices(string choices)
    {
        ArgumentNullException.ThrowIfNull(choices);
        var result = new List<string>();
        var current = new System.Text.StringBuilder();
        for (int i = 0; i < choices.Length; i++)
        {
            char c = choices[i];
            if (c == '\\' && i + 1 < choices.Length && (choices[i + 1] is ',' or ' '))
            {
                current.Append(choices[++i]);
            }
            else if (c == ',')
            {
                Add();
            }
            else if (current.Length > 0 || c != ' ')
            {
                current.Append(c);
            }
        }

        Add();
        return result;

        void Add()
        {
            string value = current.ToString().TrimEnd(' ');
            current.Clear();
            if (value.Length > 0)
            {
                result.Add(value);
            }
        }
    }
}
