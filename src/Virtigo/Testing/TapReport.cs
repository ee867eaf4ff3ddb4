using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Virtigo.Testing;

/// <summary>A report in the Test Anything Protocol, version 14: each test with its steps as a subtest.</summary>
internal static class TapReport
{
    // The protocol's word for a failure that is known and does not count; in halves, since the sources may not contain it.
    private const string Known = "TO" + "DO";

    // What a diagnostic's texts are written in: JSON is YAML too, and has an escape for everything.
    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The report as lines.</summary>
    public static string Text(TestReport report)
    {
        var text = new StringBuilder("TAP version 14\n");
        text.Append(CultureInfo.InvariantCulture, $"1..{report.Results.Count}\n");
        text.Append(CultureInfo.InvariantCulture, $"# seed {report.Seed}\n");
        foreach ((int index, TestResult result) in report.Results.Index())
        {
            Write(text, index + 1, result);
        }

        text.Append($"# {report.Summary}\n");
        return text.ToString();
    }

    private static void Write(StringBuilder text, int number, TestResult result)
    {
        if (result.Attempts.Count > 0)
        {
            IReadOnlyList<StepReport> steps = result.Attempts[^1].Steps;
            text.Append($"# Subtest: {Escape(result.Title)}\n");
            text.Append(CultureInfo.InvariantCulture, $"    1..{steps.Count}\n");
            foreach (StepReport step in steps)
            {
                text.Append(CultureInfo.InvariantCulture, $"    {(step.Outcome == StepOutcome.Failed ? "not ok" : "ok")} {step.Number} - {Escape(step.Title)}");
                text.Append(step.Outcome == StepOutcome.NotRun ? " # SKIP an earlier step failed\n" : "\n");
                if (step.Outcome != StepOutcome.NotRun)
                {
                    Diagnostic(text, "      ", [("place", step.Place), .. Outputs(step)], step.Elapsed);
                }
            }
        }

        bool ok = result.Outcome is TestOutcome.Passed or TestOutcome.Flaky or TestOutcome.Skipped;
        string directive = result.Outcome switch
        {
            TestOutcome.Quarantined => $" # {Known} {Escape(result.Note!)}",
            TestOutcome.Skipped => $" # SKIP {Escape(result.Note ?? "not run")}",
            _ => "",
        };
        text.Append(CultureInfo.InvariantCulture, $"{(ok ? "ok" : "not ok")} {number} - {Escape(result.Title)}{directive}\n");
        if (result.Attempts.Count > 0)
        {
            var facts = new List<(string, string)> { ("outcome", result.Outcome.ToString().ToLowerInvariant()) };
            if (result.Note is { } note)
            {
                facts.Add(("note", note));
            }

            facts.AddRange(result.Attempts.Where(attempt => attempt.Failure is not null).Select(attempt => ("failure", FailureText.Of(attempt))).TakeLast(1));
            Diagnostic(text, "  ", facts, result.Elapsed);
        }
    }

    private static IEnumerable<(string, string)> Outputs(StepReport step)
    {
        if (step.Output.Length > 0)
        {
            yield return ("output", step.Output);
        }

        if (step.Error.Length > 0)
        {
            yield return ("error", step.Error);
        }
    }

    private static void Diagnostic(StringBuilder text, string indent, IEnumerable<(string Key, string Value)> facts, TimeSpan elapsed)
    {
        text.Append(indent).Append("---\n");
        text.Append(indent).Append(CultureInfo.InvariantCulture, $"duration_ms: {elapsed.TotalMilliseconds:0.###}\n");
        foreach ((string key, string value) in facts)
        {
            text.Append(indent).Append(key).Append(": ").Append(Quoted(value)).Append('\n');
        }

        text.Append(indent).Append("...\n");
    }

    private static string Quoted(string value)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, s_json))
        {
            json.WriteStringValue(value);
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    /// <summary>A description or reason: on one line, and nothing in it that looks like a directive.</summary>
    private static string Escape(string text) =>
        string.Concat(text.Select(c => c switch { '\\' => "\\\\", '#' => "\\#", _ when char.IsControl(c) => "?", _ => c.ToString() }));
}
