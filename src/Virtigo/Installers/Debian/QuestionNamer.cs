namespace Virtigo.Installers.Debian;

/// <summary>Finds out which debconf question a screen shows, and how to answer it in advance.</summary>
internal static class QuestionNamer
{
    private const int MostAlike = 3;

    /// <summary>Names the question of a screen.</summary>
    /// <param name="screen">The screen.</param>
    /// <param name="templates">The questions of the installer, if known.</param>
    /// <param name="traced">The question that debconf's trace names, if it is on.</param>
    public static InstallQuestion Name(ConsoleQuestion screen, TemplateCatalog? templates, string? traced)
    {
        IReadOnlyList<DebconfTemplate> found = templates?.FindByDescription(screen.Question) ?? [];
        if (traced is not null && (found.Count == 0 || found.Any(t => t.Name == traced)))
        {
            found = templates?.Find(traced) is { } template ? [template] : [];
            string? line = AnswerLine(traced, found.Count > 0 ? found[0] : null, screen);
            return new InstallQuestion(traced, found.Count > 0 ? found[0].Type : null, screen.Text, screen.Choices, line);
        }

        string[] lines = [.. found.Take(MostAlike).Select(t => AnswerLine(t.Name, t, screen)).OfType<string>()];
        return new InstallQuestion(found.Count > 0 ? found[0].Name : null, found.Count > 0 ? found[0].Type : null, screen.Text, screen.Choices,
            lines.Length > 0 ? string.Join('\n', lines) : null);
    }

    private static string? AnswerLine(string name, DebconfTemplate? template, ConsoleQuestion screen)
    {
        if (screen.IsError || template?.Type == "error")
        {
            return null;
        }

        string type = template?.Type ?? (screen.Choices is ["Yes", "No"] ? "boolean" : screen.Choices.Count > 0 ? "select" : "string");
        string value = type switch
        {
            "boolean" => "true",
            "note" => "",
            "select" or "multiselect" when template is { Choices: [string first, ..] } => first,
            "select" or "multiselect" when screen.Choices.Count > 0 => screen.Choices[0],
            _ => "VALUE",
        };
        return $"d-i {name} {type} {value}".TrimEnd();
    }
}
