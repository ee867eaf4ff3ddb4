using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Virtigo.Appliances;
using Virtigo.Environments.Steps;

namespace Virtigo.Testing;

/// <summary>The keys of a test file that say how tests are run, in the order of the reference.</summary>
internal static class TestKeys
{
    public const string DefaultLimit = "10m";

    private const int MaxPatterns = 100;
    private static readonly TextType s_pattern = new("regular expressions", Pattern);
    private static readonly SettingType s_patterns = new ListType(s_pattern, MaxPatterns);
    private static readonly SettingType s_artifacts = new ListType(new TextType("machine:/path", Artifact, "^[^:]+:/"), 100);

    /// <summary>Of the whole file.</summary>
    public static IReadOnlyList<SpecKey> OfFile { get; } =
    [
        new("tests", new WholeType("a mapping of tests, each with its steps", WriteTests), "The tests, by name. Each runs in a fork of its own, in the order of the file.", "none",
            "names and steps", "tests: {it is up: [server: systemctl is-active nginx]}"),
        new("limit", StepTypes.Duration, "How long each test may take.", DefaultLimit, "such as `30s`, `10m`", "limit: 5m"),
        new("total limit", StepTypes.Duration, "How long all tests together may take.", "no limit", "such as `10m`, `2h`", "total limit: 1h"),
        new("allow console", s_patterns, "Console lines that do not fail any test although they tell of trouble.", "none", "regular expressions", "allow console: [\"segfault at .* in flaky\"]"),
    ];

    /// <summary>Of one test, when it is written as a mapping.</summary>
    public static IReadOnlyList<SpecKey> OfTest { get; } =
    [
        new("steps", new WholeType("a list of steps", StepReference.WriteSchema), "What is done, one after the other.", "required", "a list of steps", "steps: [server: systemctl is-active nginx]"),
        new("limit", StepTypes.Duration, "How long this test may take.", "the file's `limit`", "such as `30s`, `10m`", "limit: 30m"),
        new("allow console", s_patterns, "Console lines that do not fail this test, besides those of the file.", "none", "regular expressions", "allow console: [\"Out of memory\"]"),
        new("quarantine", new GroupType(
            [
                new("quarantine.reason", StepTypes.Text, "Why failures do not count.", "required", "a sentence or a link", "reason: the driver loses packets, bug 1234"),
                new("quarantine.until", new TextType("a date", Date, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), "The last day on which they do not count.", "required", "a date", "until: 2030-01-31"),
            ], "reason"),
            "Runs the test, yet its failures do not fail the run.", "none", "", "quarantine: {reason: bug 1234, until: 2030-01-31}"),
        new("artifacts", s_artifacts, "What is copied out of machines after the steps, with `--artifacts`.", "none", "`machine:/path`, at most 100", "artifacts: [\"server:/var/log/nginx\"]"),
    ];

    /// <summary>A date as <see cref="OfTest"/> has it.</summary>
    public static DateOnly DateOf(string text) => DateOnly.ParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static string? Date(string value) =>
        DateOnly.TryParseExact(value, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _) ? null
            : "is not a date: expected one such as 2030-01-31";

    private static string? Pattern(string value)
    {
        if (value.Length is 0 or > 1000)
        {
            return "is not usable as a pattern: expected 1 to 1000 characters";
        }

        try
        {
            _ = new Regex(value, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
            return null;
        }
        catch (Exception wrong) when (wrong is ArgumentException or NotSupportedException)
        {
            return "is not a regular expression (without look-around and back-references)";
        }
    }

    private static string? Artifact(string value) =>
        value.IndexOf(":/", StringComparison.Ordinal) > 0 && !value.Contains('\0') && value.Length <= 4096 ? null
            : "is not a path in a machine: expected one such as server:/var/log/nginx";

    private static void WriteTests(Utf8JsonWriter schema)
    {
        schema.WriteString("type", "object");
        schema.WriteStartObject("additionalProperties");
        schema.WriteStartArray("oneOf");
        schema.WriteStartObject();
        StepReference.WriteSchema(schema);
        schema.WriteEndObject();
        schema.WriteStartObject();
        SpecReference.WriteProperties(schema, OfTest);
        schema.WriteEndObject();
        schema.WriteEndArray();
        schema.WriteEndObject();
    }
}
