using System.Text.Json;
using Virtigo.Appliances;

namespace Virtigo.Environments.Steps;

/// <summary>One value that a function reads from text.</summary>
internal sealed class ParsedType<T>(string name, Func<string, T?> parse, string expected, string pattern) : SettingType
    where T : struct
{
    public override string Name => name;

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        if (item is not YamlText text)
        {
            WrongType(item, key, problems);
            return null;
        }

        if (parse(text.Value) is { } value)
        {
            return value;
        }

        BadValue(text, key, problems, $"is not {name}: expected {expected}");
        return null;
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteString("type", "string");
        schema.WriteString("pattern", pattern);
    }
}

/// <summary>Names of machines of the environment: one, or several as a list. Whether they exist is checked by the reader of steps.</summary>
/// <param name="many">Whether a list is accepted, and the word <c>all</c>.</param>
internal sealed class MachineType(bool many) : SettingType
{
    /// <summary>The word that stands for every machine.</summary>
    public const string All = "all";

    public override string Name => many ? "a machine, a list of machines, or all" : "a machine";

    /// <summary>Reads a list of the names' items, so that each can be told its place.</summary>
    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        if (item is YamlText text)
        {
            return (IReadOnlyList<YamlText>)[text];
        }

        if (!many || item is not YamlList { Items.Count: > 0 } list || list.Items.Any(one => one is not YamlText))
        {
            WrongType(item, key, problems);
            return null;
        }

        return (IReadOnlyList<YamlText>)[.. list.Items.Cast<YamlText>()];
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        if (!many)
        {
            schema.WriteString("type", "string");
            return;
        }

        schema.WriteStartArray("oneOf");
        schema.WriteStartObject();
        schema.WriteString("type", "string");
        schema.WriteEndObject();
        schema.WriteStartObject();
        schema.WriteString("type", "array");
        schema.WriteStartObject("items");
        schema.WriteString("type", "string");
        schema.WriteEndObject();
        schema.WriteEndObject();
        schema.WriteEndArray();
    }
}

/// <summary>Names of environment variables and their values.</summary>
internal sealed class VariablesType : SettingType
{
    private const int Most = 100;

    public override string Name => "a mapping of variables";

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        if (item is not YamlMap { Entries.Count: <= Most } map)
        {
            WrongType(item, key, problems);
            return null;
        }

        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((YamlText name, YamlItem value) in map.Entries)
        {
            if (!IsName(name.Value))
            {
                BadValue(name, key, problems, "is not a variable's name: expected letters, digits and '_', not starting with a digit");
                return null;
            }

            if (value is not YamlText text || text.Value.Contains('\0'))
            {
                WrongType(value, key, problems);
                return null;
            }

            variables[name.Value] = text.Value;
        }

        return variables;
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteString("type", "object");
        schema.WriteStartObject("additionalProperties");
        schema.WriteStartArray("type");
        schema.WriteStringValue("string");
        schema.WriteStringValue("number");
        schema.WriteStringValue("boolean");
        schema.WriteEndArray();
        schema.WriteEndObject();
    }

    private static bool IsName(string name) =>
        name.Length is >= 1 and <= 256 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
}

/// <summary>The types that keys of steps and tests share.</summary>
internal static class StepTypes
{
    private const string Number = "^[+-]?[0-9]+(\\.[0-9]+)? ?";

    public static SettingType Duration { get; } =
        new ParsedType<TimeSpan>("a duration", Quantities.Duration, Quantities.DurationExpected, Number + "(ms|s|m|min|h|d)$");

    public static SettingType Shift { get; } =
        new ParsedType<TimeSpan>("a length of time", Quantities.Shift, Quantities.ShiftExpected, Number + "(ms|s|m|min|h|d)$");

    public static SettingType Percent { get; } =
        new ParsedType<double>("a percentage", Quantities.Percent, Quantities.PercentExpected, Number + "%$");

    public static SettingType Rate { get; } =
        new ParsedType<long>("a rate", Quantities.Rate, Quantities.RateExpected, Number + "[kMG]?(B|bit)/s$");

    public static SettingType Skew { get; } =
        new ParsedType<double>("a skew", Quantities.Skew, Quantities.SkewExpected, Number + "ppm$");

    public static SettingType Instant { get; } =
        new ParsedType<DateTimeOffset>("a date", Quantities.Instant, Quantities.InstantExpected, "^[0-9]{4}-[0-9]{2}-[0-9]{2}");

    public static SettingType Machine { get; } = new MachineType(many: false);

    public static SettingType Machines { get; } = new MachineType(many: true);

    public static SettingType Flag { get; } = new FlagType();

    public static TextType Text { get; } = new("a text", Printable);

    public static SettingType Texts { get; } = new ListType(Text, 100);

    public static TextType Command { get; } = new("a shell command", value => Printable(value) ?? (value.Trim().Length == 0 ? "is empty: expected a shell command" : null));

    public static TextType GuestPath { get; } = new("a path in the guest",
        value => value.StartsWith('/') && Printable(value) is null ? null : "is not a path in the guest: expected one that starts with '/'", "^/");

    public static TextType RelativePath { get; } = new("a relative path",
        value => IsBelow(value) ? null : "is not a path below the folder: expected a relative one, without '..'");

    private static string? Printable(string value) =>
        value.Length > 64 * 1024 ? "is longer than 64 KiB: copy a file in instead"
        : value.Contains('\0') ? "contains a NUL character"
        : null;

    private static bool IsBelow(string path) =>
        path.Length is > 0 and <= 1000 && !path.StartsWith('/') && Printable(path) is null && !path.Split('/').Contains("..");
}
