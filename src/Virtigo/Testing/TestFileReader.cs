using System.Globalization;
using Virtigo.Appliances;
using Virtigo.Environments;
using Virtigo.Environments.Steps;

namespace Virtigo.Testing;

/// <summary>Reads the tests of a file.</summary>
internal static class TestFileReader
{
    private const int MaxTests = 10_000;
    private const int MaxName = 200;
    private const string Hint = "Every key and step with its values: docs/tests.md, or virtigo schema test --markdown";

    // What stands in the same file and is read into the environment's definition.
    private static readonly SpecKey[] s_environment =
    [
        .. EnvironmentKeys.All.Select(key => key with { Type = new WholeType("part of the environment") }),
    ];

    public static TestFile Parse(string yaml, string file)
    {
        var problems = new SpecProblems(file);
        SettingValues values = SpecReader.Bind(yaml, [.. s_environment, .. TestKeys.OfFile], OriginKind.Spec, "a test file", problems);
        IReadOnlyList<string> machines = Machines(values, problems);
        TimeSpan? limit = values.Get<TimeSpan>("limit")?.Value;
        IReadOnlyList<string> allowed = values.Get<IReadOnlyList<string>>("allow console")?.Value ?? [];
        TestCase[] tests = [.. Tests(values, problems).Select(entry => ReadTest(entry.Key, entry.Value, machines, limit, allowed, problems)).OfType<TestCase>()];
        problems.ThrowIfAny(Hint);
        return new TestFile(file, tests) { Seed = Seed(values), TotalLimit = values.Get<TimeSpan>("total limit")?.Value, Machines = machines };
    }

    /// <summary>The seed; the environment's reader tells what is wrong with one that is none.</summary>
    private static ulong? Seed(SettingValues values) =>
        values.Get<YamlItem>("seed")?.Value is YamlText { Value: var text } && ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed) ? seed : null;

    private static IReadOnlyList<string> Machines(SettingValues values, SpecProblems problems)
    {
        if (values.Get<YamlItem>("machines")?.Value is not YamlMap { Entries.Count: > 0 } machines)
        {
            YamlItem place = values.Place("machines") ?? new YamlText("", true, 1, 1);
            problems.Add(place, "there are no machines; expected at least one, as in: machines: {server: {packages: [nginx]}}");
            return [];
        }

        foreach ((YamlText name, _) in machines.Entries)
        {
            if (StepVerbs.Reserved(name.Value) is { } reserved)
            {
                problems.Add(name, $"machines: {SpecProblems.Quote(name.Value)} {reserved}");
            }
        }

        return [.. machines.Entries.Select(entry => entry.Key.Value)];
    }

    private static IReadOnlyList<(YamlText Key, YamlItem Value)> Tests(SettingValues values, SpecProblems problems)
    {
        switch (values.Get<YamlItem>("tests")?.Value)
        {
            case YamlMap { Entries.Count: > 0 and <= MaxTests } tests:
                return tests.Entries;
            case YamlMap { Entries.Count: > MaxTests } tests:
                problems.Add(tests, FormattableString.Invariant($"tests: {tests.Entries.Count} tests; expected at most {MaxTests}"));
                return [];
            case { } other:
                problems.Add(other, $"tests: expected names of tests with their steps, as in: {TestKeys.OfFile[0].Example}");
                return [];
            case null:
                problems.Add(1, 1, $"there are no tests; expected some, as in: {TestKeys.OfFile[0].Example}");
                return [];
        }
    }

    private static TestCase? ReadTest(
        YamlText name, YamlItem value, IReadOnlyList<string> machines, TimeSpan? limit, IReadOnlyList<string> allowed, SpecProblems problems)
    {
        if (name.Value.Trim().Length == 0 || name.Value.Length > MaxName || name.Value.Any(char.IsControl))
        {
            problems.Add(name, $"{SpecProblems.Quote(name.Value)} is no name for a test: expected 1 to {MaxName} printable characters");
            return null;
        }

        var values = new SettingValues(problems.File, OriginKind.Spec);
        if (value is YamlMap map)
        {
            SpecReader.BindMap(map, TestKeys.OfTest, "a test", values, problems);
            if (values.Place("steps") is null)
            {
                problems.Add(name, $"{SpecProblems.Quote(name.Value)} has no steps; expected a list of them, or a mapping with the key steps");
                return null;
            }
        }

        IReadOnlyList<Step> steps = StepReader.Read(values.Place("steps") ?? value, name.Value, machines, problems);
        return new TestCase(name.Value, name.Line, steps)
        {
            Limit = values.Get<TimeSpan>("limit")?.Value ?? limit ?? Quantities.Duration(TestKeys.DefaultLimit)!.Value,
            AllowedConsole = [.. allowed, .. values.Get<IReadOnlyList<string>>("allow console")?.Value ?? []],
            Quarantine = Quarantine(values, problems),
            Artifacts = Artifacts(values, machines, problems),
            ArtifactsPlace = values.Place("artifacts") is { } artifacts ? values.At(artifacts) : "",
        };
    }

    private static TestQuarantine? Quarantine(SettingValues values, SpecProblems problems)
    {
        if (values.Place("quarantine") is not { } place)
        {
            return null;
        }

        (string? reason, string? until) = (values.Get<string>("quarantine.reason")?.Value, values.Get<string>("quarantine.until")?.Value);
        if (!string.IsNullOrWhiteSpace(reason) && until is not null)
        {
            return new TestQuarantine(reason.Trim(), TestKeys.DateOf(until));
        }

        problems.Add(place, "quarantine: a reason and a last day are needed, as in: quarantine: {reason: bug 1234, until: 2030-01-31}");
        return null;
    }

    private static IReadOnlyList<string> Artifacts(SettingValues values, IReadOnlyList<string> machines, SpecProblems problems)
    {
        IReadOnlyList<string> artifacts = values.Get<IReadOnlyList<string>>("artifacts")?.Value ?? [];
        foreach (string machine in artifacts.Select(artifact => artifact.Split(':')[0]).Where(machine => !machines.Contains(machine)))
        {
            problems.Add(values.Place("artifacts")!, $"artifacts: {SpecProblems.Quote(machine)} is no machine of this environment{SpecProblems.Suggest(machine, machines)}");
        }

        return artifacts;
    }
}
