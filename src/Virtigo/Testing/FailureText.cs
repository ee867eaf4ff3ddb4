using System.Text;

namespace Virtigo.Testing;

/// <summary>A failure as a person reads it, in reports and on a terminal alike.</summary>
internal static class FailureText
{
    private const int MaxOutputLines = 40;

    /// <summary>The failure in several lines: where, what, the output, the consoles, and how to look inside.</summary>
    public static string Of(TestAttempt attempt)
    {
        TestFailure failure = attempt.Failure!;
        var text = new StringBuilder(failure.Message).Append('\n');
        if (failure.Hint is { } hint)
        {
            text.Append("hint: ").Append(hint).Append('\n');
        }

        StepReport? step = failure.Step > 0 ? attempt.Steps.ElementAtOrDefault(failure.Step - 1) : null;
        text.Append(failure.Place).Append(step is null ? "\n" : $": {step.Title}\n");
        if (step is not null)
        {
            Block(text, "standard output", step.Output);
            Block(text, "standard error", step.Error);
        }

        foreach (ConsoleExcerpt console in failure.Consoles.Where(console => console.Lines.Count > 0))
        {
            text.Append("console of ").Append(console.Machine).Append(":\n");
            foreach (string line in console.Lines)
            {
                text.Append("  ").Append(line).Append('\n');
            }
        }

        if (failure.Refusals.Count > 0)
        {
            text.Append("refused to the machines:\n");
            foreach (string refusal in failure.Refusals)
            {
                text.Append("  ").Append(refusal).Append('\n');
            }
        }

        text.Append(FormattableString.Invariant($"seed {attempt.Seed}\n"));
        if (failure.ToLookInside.Count > 0)
        {
            text.Append("to look inside:\n");
            foreach (string command in failure.ToLookInside)
            {
                text.Append("  ").Append(command).Append('\n');
            }
        }

        return text.ToString();
    }

    private static void Block(StringBuilder text, string name, string output)
    {
        string[] lines = output.TrimEnd().Split('\n');
        if (lines is [""])
        {
            return;
        }

        text.Append(name).Append(lines.Length > MaxOutputLines ? FormattableString.Invariant($" (the last {MaxOutputLines} of {lines.Length} lines):\n") : ":\n");
        foreach (string line in lines.TakeLast(MaxOutputLines))
        {
            text.Append("  ").Append(line.TrimEnd('\r')).Append('\n');
        }
    }
}
