using System.Globalization;
using System.Text.Json;

namespace Virtigo.Appliances;

/// <summary>What a setting's value may be: reads it from a file and describes it to an editor.</summary>
internal abstract class SettingType
{
    /// <summary>The type in a word or two, for messages and the reference.</summary>
    public abstract string Name { get; }

    /// <summary>Reads a value; null when it is wrong, and then a problem was added.</summary>
    public abstract object? Read(YamlItem item, SpecKey key, SpecProblems problems);

    /// <summary>Writes the properties of the JSON schema that describe the type.</summary>
    public abstract void WriteSchema(Utf8JsonWriter schema);

    protected static void WrongType(YamlItem item, SpecKey key, SpecProblems problems)
    {
        string found = item switch { YamlList => "a list", YamlMap => "a mapping", _ => "a single value" };
        problems.Add(item, $"{key.Path}: expected {key.Type.Name}, as in: {key.Example}; found {found}");
    }

    protected static void BadValue(YamlText text, SpecKey key, SpecProblems problems, string problem) =>
        problems.Add(text, $"{key.Path}: {(key.Secret ? "the value" : SpecProblems.Quote(text.Value))} {problem}");
}

/// <summary>One line of text under a check, which answers what is wrong as the rest of a sentence: <c>is not …: …</c>.</summary>
internal sealed class TextType(string name, Func<string, string?> check, string? pattern = null, IReadOnlyList<string>? choices = null)
    : SettingType
{
    public override string Name => name;

    /// <summary>A type with a closed set of values.</summary>
    public static TextType OneOf(params string[] choices) => new(
        "one of: " + string.Join(", ", choices),
        value => choices.Contains(value) ? null : $"is not supported: expected {string.Join(" or ", choices)}{SpecProblems.Suggest(value, choices)}",
        choices: choices);

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        if (item is not YamlText text)
        {
            WrongType(item, key, problems);
            return null;
        }

        if (check(text.Value) is { } problem)
        {
            BadValue(text, key, problems, problem);
            return null;
        }

        return text.Value;
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        if (choices?.Contains("true") != true)
        {
            schema.WriteString("type", "string");
        }

        if (pattern is not null)
        {
            schema.WriteString("pattern", pattern);
        }

        if (choices is not null)
        {
            schema.WriteStartArray("enum");
            foreach (string choice in choices)
            {
                // To an editor the bare words are no texts.
                if (choice is "true" or "false")
                {
                    schema.WriteBooleanValue(choice == "true");
                }
                else
                {
                    schema.WriteStringValue(choice);
                }
            }

            schema.WriteEndArray();
        }
    }
}

/// <summary>A number of bytes with a unit, in whole MiB.</summary>
internal sealed class SizeType(long min, long max) : SettingType
{
    private const long Step = 1 << 20;

    public override string Name => "a size";

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        if (item is not YamlText text)
        {
            WrongType(item, key, problems);
            return null;
        }

        if (!ByteSize.TryParse(text.Value, out long bytes))
        {
            BadValue(text, key, problems, $"is not a size: expected {ByteSize.Expected}");
            return null;
        }

        if (bytes < min || bytes > max || bytes % Step != 0)
        {
            BadValue(text, key, problems,
                $"is out of range: expected whole MiB from {ByteSize.Format(min)} to {ByteSize.Format(max)}");
            return null;
        }

        return bytes;
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteString("type", "string");
        schema.WriteString("pattern", "^[0-9]+ ?([KkMmGgTt]|[KkMmGgTt][Ii][Bb])$");
    }
}

/// <summary>A whole number.</summary>
internal sealed class CountType(int min, int max) : SettingType
{
    public override string Name => "a whole number";

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        if (item is not YamlText text)
        {
            WrongType(item, key, problems);
            return null;
        }

        if (!int.TryParse(text.Value, min < 0 ? NumberStyles.AllowLeadingSign : NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number < min || number > max)
        {
            BadValue(text, key, problems, string.Create(CultureInfo.InvariantCulture,
                $"does not fit: expected a whole number from {min} to {max}"));
            return null;
        }

        return number;
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteString("type", "integer");
        schema.WriteNumber("minimum", min);
        schema.WriteNumber("maximum", max);
    }
}

/// <summary>True or false.</summary>
internal sealed class FlagType : SettingType
{
    public override string Name => "true or false";

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        switch (item)
        {
            case YamlText { Value: "true" }:
                return true;
            case YamlText { Value: "false" }:
                return false;
            case YamlText text:
                BadValue(text, key, problems, "is neither true nor false");
                return null;
            default:
                WrongType(item, key, problems);
                return null;
        }
    }

    public override void WriteSchema(Utf8JsonWriter schema) => schema.WriteString("type", "boolean");
}

/// <summary>A list of texts; one alone may stand without its list.</summary>
internal sealed class ListType(TextType item, int max) : SettingType
{
    public override string Name => $"a list of {item.Name}";

    public override object? Read(YamlItem list, SpecKey key, SpecProblems problems)
    {
        IReadOnlyList<YamlItem> items = list is YamlList written ? written.Items : [list];
        if (list is YamlMap)
        {
            WrongType(list, key, problems);
            return null;
        }

        if (items.Count > max)
        {
            problems.Add(list, string.Create(CultureInfo.InvariantCulture, $"{key.Path}: {items.Count} items; expected at most {max}"));
            return null;
        }

        object?[] values = [.. items.Select(one => item.Read(one, key, problems))];
        return values.Contains(null) ? null : (IReadOnlyList<string>)[.. values.Cast<string>()];
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteStartArray("oneOf");
        schema.WriteStartObject();
        item.WriteSchema(schema);
        schema.WriteEndObject();
        schema.WriteStartObject();
        schema.WriteString("type", "array");
        schema.WriteNumber("maxItems", max);
        schema.WriteStartObject("items");
        item.WriteSchema(schema);
        schema.WriteEndObject();
        schema.WriteEndObject();
        schema.WriteEndArray();
    }
}

/// <summary>Settings below a key of their own. One word instead of them stands for one of them: <c>user: alice</c>.</summary>
internal sealed class GroupType(IReadOnlyList<SpecKey> keys, string shorthandKey, string? shorthandWord = null) : SettingType
{
    public override string Name => "a mapping of " + string.Join(", ", keys.Select(key => key.Key));

    public IReadOnlyList<SpecKey> Keys => keys;

    /// <summary>The mapping that a lone word stands for, or null when this word stands for none.</summary>
    public YamlMap? Expand(YamlText word)
    {
        if (shorthandWord is not null && word.Value != shorthandWord)
        {
            return null;
        }

        YamlText value = shorthandWord is null ? word : word with { Value = "true" };
        return new YamlMap([(word with { Value = shorthandKey }, value)], word.Line, word.Column) { File = word.File };
    }

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        switch (item)
        {
            case YamlMap map:
                return map;
            case YamlText word when Expand(word) is { } expanded:
                return expanded;
            case YamlText word:
                BadValue(word, key, problems, $"does not fit: expected the word {shorthandWord}, or {Name}");
                return null;
            default:
                WrongType(item, key, problems);
                return null;
        }
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteStartArray("oneOf");
        schema.WriteStartObject();
        if (shorthandWord is null)
        {
            keys.Single(key => key.Key == shorthandKey).Type.WriteSchema(schema);
        }
        else
        {
            schema.WriteString("const", shorthandWord);
        }

        schema.WriteEndObject();
        schema.WriteStartObject();
        SpecReference.WriteProperties(schema, keys);
        schema.WriteEndObject();
        schema.WriteEndArray();
    }
}

/// <summary>Any value; what it must be is checked by whoever reads it.</summary>
/// <param name="name">The type in a few words.</param>
/// <param name="writeSchema">Describes it to an editor; null: anything goes.</param>
internal sealed class WholeType(string name, Action<Utf8JsonWriter>? writeSchema = null) : SettingType
{
    public override string Name => name;

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems) => item;

    public override void WriteSchema(Utf8JsonWriter schema) => writeSchema?.Invoke(schema);
}
