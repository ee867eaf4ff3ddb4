using System.Text.RegularExpressions;

namespace Virtigo.Installers.Debian;

/// <summary>
/// A question of the installer's text frontend that waits for input. Its form, as seen on a console:
/// <code>
/// Configure the network            a title, underlined, when it changed
/// ---------------------
///
/// From here you can choose ...     an explanation of several lines
/// Network configuration method:    the question
///   1: Retry ...,   2: No [*]      choices, in one or more columns
/// Prompt: '?' for help, default=3>
/// </code>
/// An error starts with <c>!! ERROR: text</c> and ends, like a note, with <c>[Press enter to continue]</c>.
/// </summary>
/// <param name="Title">The heading, or null.</param>
/// <param name="Question">The line that asks.</param>
/// <param name="Text">Everything shown for it, without choices and prompt.</param>
/// <param name="Choices">The choices.</param>
/// <param name="IsError">It reports an error.</param>
internal sealed partial record ConsoleQuestion(string? Title, string Question, string Text, IReadOnlyList<string> Choices, bool IsError)
{
    private const string ErrorMark = "!! ERROR: ";
    private const int MaximumLines = 60;
    private const int MaximumChoices = 200;

    /// <summary>The question that the end of a console's text waits on, or null when it waits on none.</summary>
    /// <param name="tail">The console's text; its last few KiB are enough.</param>
    public static ConsoleQuestion? Waiting(string tail)
    {
        Match prompt = PromptAtEnd().Match(tail);
        if (!prompt.Success)
        {
            prompt = PasswordAtEnd().Match(tail);
            return prompt.Success ? Read(Lines(tail), []) : null;
        }

        List<string> lines = Lines(tail[..prompt.Index]);
        bool isNote = prompt.ValueSpan.StartsWith("[");
        IReadOnlyList<string> choices = isNote ? [] : TakeChoices(lines);
        return Read(lines, choices);
    }

    private static List<string> Lines(string text)
    {
        var lines = text.Split('\n').Select(l => l.TrimEnd()).TakeLast(MaximumLines).ToList();
        lines.RemoveRange(0, lines.FindLastIndex(l => AnyPrompt().IsMatch(l)) + 1);
        return lines;
    }

    private static ConsoleQuestion Read(List<string> lines, IReadOnlyList<string> choices)
    {
        string? title = null;
        int underline = lines.FindLastIndex(l => l.Length > 2 && l.All(c => c == '-'));
        if (underline > 0)
        {
            title = lines[underline - 1].Trim();
            lines.RemoveRange(0, underline + 1);
        }

        int error = lines.FindLastIndex(l => l.StartsWith(ErrorMark, StringComparison.Ordinal));
        if (error >= 0)
        {
            lines.RemoveRange(0, error);
            lines[0] = lines[0][ErrorMark.Length..];
        }

        while (lines.Count > 0 && lines[^1].Length == 0)
        {
            lines.RemoveAt(lines.Count - 1);
        }

        while (lines.Count > 0 && (lines[0].Length == 0 || Progress().IsMatch(lines[0])))
        {
            lines.RemoveAt(0);
        }

        string question = lines.Count == 0 ? "" : error >= 0 || IsNote(lines, choices) ? lines[0] : LastSentence(lines);
        return new ConsoleQuestion(title, question.Trim(), string.Join('\n', lines), choices, error >= 0);
    }

    /// <summary>A note's own text is its first line, and an empty one follows.</summary>
    private static bool IsNote(List<string> lines, IReadOnlyList<string> choices) =>
        choices.Count == 0 && lines.Count > 1 && lines[1].Length == 0 && !lines[^1].EndsWith(':');

    /// <summary>The question is the last line, with the ones before it when it was wrapped at the screen's edge.</summary>
    private static string LastSentence(List<string> lines)
    {
        int first = lines.Count - 1;
        while (first > 0 && lines[first - 1].Length > 60 && lines[first - 1][^1] is not ('.' or ':' or '?' or '!'))
        {
            first--;
        }

        return string.Join(' ', lines.Skip(first).Select(l => l.Trim()));
    }

    private static List<string> TakeChoices(List<string> lines)
    {
        var choices = new List<(int Number, string Text)>();
        while (lines.Count > 0 && (ChoiceLine().IsMatch(lines[^1]) || lines[^1].Length == 0))
        {
            foreach (Match choice in Choice().Matches(lines[^1]).Take(MaximumChoices))
            {
                string text = choice.Groups["text"].Value.Replace(" [*]", "", StringComparison.Ordinal).Trim().TrimEnd(',').Trim();
                if (text.Length > 0 && choices.Count < MaximumChoices && int.TryParse(choice.Groups["number"].ValueSpan, out int number))
                {
                    choices.Add((number, text));
                }
            }

            lines.RemoveAt(lines.Count - 1);
        }

        return [.. choices.OrderBy(c => c.Number).Select(c => c.Text)];
    }

    [GeneratedRegex(@"(Prompt: '.' for help(, default=[^\n]{0,300})?> ?|\[Press enter to continue\] ?)\s*\z", RegexOptions.CultureInvariant)]
    private static partial Regex PromptAtEnd();

    /// <summary>A password is read without a prompt.</summary>
    [GeneratedRegex(@"\n[^\n]{0,80}[Pp]ass(word|phrase)[^\n]{0,60}:\s*\z", RegexOptions.CultureInvariant)]
    private static partial Regex PasswordAtEnd();

    [GeneratedRegex(@"^(Prompt: '.' for help|\[Press enter to continue\])", RegexOptions.CultureInvariant)]
    private static partial Regex AnyPrompt();

    [GeneratedRegex(@"^ {0,3}\d{1,4}: ", RegexOptions.CultureInvariant)]
    private static partial Regex ChoiceLine();

    [GeneratedRegex(@"(?<=^ {0,3}|[ ,]{2,})(?<number>\d{1,4}): (?<text>.*?)(?=[ ,]{2,}\d{1,4}: |$)", RegexOptions.CultureInvariant)]
    private static partial Regex Choice();

    [GeneratedRegex(@"\.\.\. ?\d{1,3}%", RegexOptions.CultureInvariant)]
    private static partial Regex Progress();
}
