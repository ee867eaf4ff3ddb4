using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>Writes answers as a preseed file.</summary>
internal static class PreseedWriter
{
    private const string Redacted = "[redacted]";

    /// <summary>Writes the answers, each under its reason.</summary>
    /// <param name="answers">The answers.</param>
    /// <param name="redact">Whether to replace secret values, to show the file to people.</param>
    /// <returns>The file's text.</returns>
    /// <exception cref="VirtigoException">An answer is unfit for the format (<see cref="FailureKind.Usage"/>).</exception>
    public static string Write(IReadOnlyList<Answer> answers, bool redact)
    {
        var text = new StringBuilder();
        var seen = new HashSet<(string, string, bool)>();
        foreach (Answer answer in answers)
        {
            RefuseLineBreaks(answer);
            if (!seen.Add((answer.Owner, answer.Question, answer.Type == "seen")))
            {
                throw new VirtigoException(FailureKind.Internal, $"The question {answer.Question} is answered twice.");
            }

            foreach (string line in answer.Reason.Split('\n'))
            {
                text.Append("# ").Append(line).Append('\n');
            }

            text.Append(answer.Owner).Append(' ').Append(answer.Question).Append(' ').Append(answer.Type);
            string value = redact && answer.Secret ? Redacted : answer.Value;
            if (value.Length > 0)
            {
                text.Append(' ').Append(value);
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private static void RefuseLineBreaks(Answer answer)
    {
        if (answer.Value.AsSpan().ContainsAnyInRange('\0', '\u001f') || answer.Value.EndsWith('\\'))
        {
            throw new VirtigoException(FailureKind.Usage,
                $"The answer to {answer.Question} has a control character or ends in a backslash, which a preseed file cannot carry.",
                "Write the value on one line, without tabs.");
        }
    }
}
