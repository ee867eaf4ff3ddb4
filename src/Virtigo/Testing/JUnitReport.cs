using System.Globalization;
using System.Text;
using System.Xml;

namespace Virtigo.Testing;

/// <summary>
/// A report as JUnit XML, as CI systems read it: a failed test is a <c>failure</c>, a lost machine an <c>error</c>, a failure in quarantine and
/// a test that was not run are <c>skipped</c>; a flaky test has its failures as <c>flakyFailure</c>.
/// </summary>
internal static class JUnitReport
{
    /// <summary>The report as one document.</summary>
    public static string Text(TestReport report)
    {
        var text = new StringBuilder();
        var settings = new XmlWriterSettings { Indent = true, OmitXmlDeclaration = true, NewLineChars = "\n", NewLineHandling = NewLineHandling.None };
        using (var xml = XmlWriter.Create(text, settings))
        {
            xml.WriteStartElement("testsuites");
            Counts(xml, report);
            xml.WriteStartElement("testsuite");
            xml.WriteAttributeString("name", XmlText.Escape(report.File));
            xml.WriteAttributeString("timestamp", report.Started.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture));
            Counts(xml, report);
            Properties(xml, [("seed", report.Seed.ToString(CultureInfo.InvariantCulture)), .. report.Properties.Select(pair => (pair.Key, pair.Value))]);
            foreach (TestResult result in report.Results)
            {
                Write(xml, report, result);
            }

            xml.WriteEndElement();
            xml.WriteEndElement();
        }

        return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" + text.Append('\n');
    }

    private static void Counts(XmlWriter xml, TestReport report)
    {
        TestResult[] failed = [.. report.Results.Where(result => result.Outcome == TestOutcome.Failed)];
        int errors = failed.Count(result => result.Failure is { OfMachine: true });
        Number(xml, "tests", report.Results.Count);
        Number(xml, "failures", failed.Length - errors);
        Number(xml, "errors", errors);
        Number(xml, "skipped", report.Count(TestOutcome.Skipped) + report.Count(TestOutcome.Quarantined));
        xml.WriteAttributeString("time", Seconds(report.Elapsed));
    }

    private static void Write(XmlWriter xml, TestReport report, TestResult result)
    {
        xml.WriteStartElement("testcase");
        xml.WriteAttributeString("name", XmlText.Escape(result.Title));
        xml.WriteAttributeString("classname", XmlText.Escape(Path.GetFileNameWithoutExtension(report.File)));
        xml.WriteAttributeString("file", XmlText.Escape(report.File));
        Number(xml, "line", result.Line);
        xml.WriteAttributeString("time", Seconds(result.Elapsed));
        List<(string, string)> properties = [("outcome", result.Outcome.ToString().ToLowerInvariant()), ("seed", result.Seed.ToString(CultureInfo.InvariantCulture))];
        foreach (TestAttempt attempt in result.Attempts)
        {
            properties.Add(($"attempt{Text(attempt.Number)}.seed", attempt.Seed.ToString(CultureInfo.InvariantCulture)));
            properties.Add(($"attempt{Text(attempt.Number)}.fork", Seconds(attempt.ForkTime)));
            properties.AddRange(attempt.Steps.Select(step =>
                ($"attempt{Text(attempt.Number)}.step{Text(step.Number)}", $"{Word(step.Outcome)} {Seconds(step.Elapsed)} {step.Place} {step.Title}")));
            if (attempt.ArtifactsFolder is { } folder)
            {
                properties.Add(($"attempt{Text(attempt.Number)}.artifacts", folder));
            }
        }

        Properties(xml, properties);
        Failures(xml, result);
        Stream(xml, "system-out", result, step => step.Output);
        Stream(xml, "system-err", result, step => step.Error);
        xml.WriteEndElement();
    }

    private static void Failures(XmlWriter xml, TestResult result)
    {
        switch (result.Outcome)
        {
            case TestOutcome.Failed:
                TestAttempt last = result.Attempts[^1];
                Failure(xml, last.Failure!.OfMachine ? "error" : "failure", last, result.Note);
                break;
            case TestOutcome.Flaky:
                foreach (TestAttempt attempt in result.Attempts.Where(attempt => attempt.Failure is not null))
                {
                    Failure(xml, attempt.Failure!.OfMachine ? "flakyError" : "flakyFailure", attempt, null);
                }

                break;
            case TestOutcome.Quarantined or TestOutcome.Skipped:
                xml.WriteStartElement("skipped");
                xml.WriteAttributeString("message", XmlText.Escape(Joined(result.Note, result.Failure?.Message)));
                xml.WriteEndElement();
                break;
        }
    }

    private static void Failure(XmlWriter xml, string element, TestAttempt attempt, string? note)
    {
        xml.WriteStartElement(element);
        xml.WriteAttributeString("message", XmlText.Escape(Joined(attempt.Failure!.Message, note)));
        xml.WriteAttributeString("type", attempt.Failure.OfMachine ? "machine" : "test");
        xml.WriteString(XmlText.Escape(FailureText.Of(attempt)));
        xml.WriteEndElement();
    }

    private static void Stream(XmlWriter xml, string element, TestResult result, Func<StepReport, string> output)
    {
        var text = new StringBuilder();
        foreach (TestAttempt attempt in result.Attempts)
        {
            foreach (StepReport step in attempt.Steps.Where(step => output(step).Length > 0))
            {
                text.Append($"--- {step.Place}: {step.Title}{(result.Attempts.Count > 1 ? $" (attempt {Text(attempt.Number)})" : "")}{(step.Truncated ? " (its end)" : "")}\n");
                text.Append(output(step)).Append(output(step).EndsWith('\n') ? "" : "\n");
            }
        }

        if (text.Length > 0)
        {
            xml.WriteElementString(element, XmlText.Escape(text.ToString()));
        }
    }

    private static void Properties(XmlWriter xml, IReadOnlyList<(string Name, string Value)> properties)
    {
        xml.WriteStartElement("properties");
        foreach ((string name, string value) in properties)
        {
            xml.WriteStartElement("property");
            xml.WriteAttributeString("name", XmlText.Escape(name));
            xml.WriteAttributeString("value", XmlText.Escape(value));
            xml.WriteEndElement();
        }

        xml.WriteEndElement();
    }

    private static void Number(XmlWriter xml, string name, int number) => xml.WriteAttributeString(name, Text(number));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Joined(string? first, string? second) => string.Join("; ", new[] { first, second }.Where(part => part is not null));

    private static string Word(StepOutcome outcome) => outcome switch { StepOutcome.Passed => "passed", StepOutcome.Failed => "failed", _ => "not run" };

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.000", CultureInfo.InvariantCulture);
}
