using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Virtigo.Testing;

/// <summary>A report as JSON; names are part of its interface. Times are in seconds.</summary>
internal sealed record ReportDocument(
    int Schema, string File, DateTimeOffset Started, double Seconds, ulong Seed, string Summary, string? Ended, ReportCounts Counts,
    IReadOnlyDictionary<string, string> Properties, IReadOnlyList<TestDocument> Tests);

internal sealed record ReportCounts(int Passed, int Failed, int Flaky, int Quarantined, int Skipped);

internal sealed record TestDocument(
    string Name, int Line, int Repetition, string Outcome, string? Note, ulong Seed, double Seconds, IReadOnlyList<AttemptDocument> Attempts);

internal sealed record AttemptDocument(
    int Number, ulong Seed, double ForkSeconds, double Seconds, string? Artifacts, FailureDocument? Failure, IReadOnlyList<StepDocument> Steps);

internal sealed record FailureDocument(
    string Message, string? Hint, string Kind, int Step, string Place, IReadOnlyDictionary<string, IReadOnlyList<string>> Consoles, IReadOnlyList<string> ToLookInside)
{
    /// <summary>What was refused to the machines; null for nothing.</summary>
    public IReadOnlyList<string>? Refusals { get; init; }
}

internal sealed record StepDocument(
    int Number, string Step, string Place, IReadOnlyList<string> Machines, string Outcome, double Seconds, string Output, string Error, bool Truncated);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ReportDocument))]
[JsonSerializable(typeof(TestDocument))]
[JsonSerializable(typeof(StepDocument))]
internal sealed partial class ReportJson : JsonSerializerContext
{
    /// <summary>For a file that a person may look at too.</summary>
    public static ReportJson Indented { get; } = new(new JsonSerializerOptions
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    });
}

/// <summary>Makes the JSON of a report.</summary>
internal static class TestReportJson
{
    /// <summary>The report as one object.</summary>
    public static string Text(TestReport report) => JsonSerializer.Serialize(Document(report), ReportJson.Indented.ReportDocument) + "\n";

    private static ReportDocument Document(TestReport report) => new(
        1, report.File, report.Started, Seconds(report.Elapsed), report.Seed, report.Summary, report.Ended,
        new ReportCounts(report.Count(TestOutcome.Passed), report.Count(TestOutcome.Failed), report.Count(TestOutcome.Flaky),
            report.Count(TestOutcome.Quarantined), report.Count(TestOutcome.Skipped)),
        report.Properties, [.. report.Results.Select(Document)]);

    private static TestDocument Document(TestResult result) => new(
        result.Name, result.Line, result.Repetition, Word(result.Outcome.ToString()), result.Note, result.Seed, Seconds(result.Elapsed),
        [.. result.Attempts.Select(attempt => new AttemptDocument(attempt.Number, attempt.Seed, Seconds(attempt.ForkTime), Seconds(attempt.Elapsed), attempt.ArtifactsFolder,
            Document(attempt.Failure), [.. attempt.Steps.Select(Document)]))]);

    private static FailureDocument? Document(TestFailure? failure) => failure is null ? null : new FailureDocument(
        failure.Message, failure.Hint, failure.OfMachine ? "machine" : "test", failure.Step, failure.Place,
        failure.Consoles.ToDictionary(console => console.Machine, console => console.Lines), failure.ToLookInside)
    {
        Refusals = failure.Refusals.Count > 0 ? failure.Refusals : null,
    };

    private static StepDocument Document(StepReport step) => new(
        step.Number, step.Title, step.Place, step.Machines, step.Outcome == StepOutcome.NotRun ? "not run" : Word(step.Outcome.ToString()), Seconds(step.Elapsed),
        step.Output, step.Error, step.Truncated);

    private static string Word(string name) => name.ToLowerInvariant();

    private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 3);
}
