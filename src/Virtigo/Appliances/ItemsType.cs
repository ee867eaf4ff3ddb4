using System.Globalization;
using System.Text.Json;

namespace Virtigo.Appliances;

/// <summary>A list of mappings. A lone word stands for a mapping of one key, if <paramref name="shorthandKey"/> names it.</summary>
/// <param name="keys">The keys of an item.</param>
/// <param name="max">The most items.</param>
/// <param name="required">The keys that every item has.</param>
/// <param name="shorthandKey">The key that a lone word gives, or null.</param>
/// <param name="check">Checks an item as a whole; adds what is wrong. Null: nothing more to check.</param>
internal sealed class ItemsType(
    IReadOnlyList<SpecKey> keys, int max, IReadOnlyList<string> required, string? shorthandKey = null,
    Action<SettingValues, YamlItem, SpecProblems>? check = null) : SettingType
{
    public override string Name => "a list of " + string.Join(", ", keys.Select(key => key.Key));

    public IReadOnlyList<SpecKey> Keys => keys;

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        if (item is not YamlList list)
        {
            WrongType(item, key, problems);
            return null;
        }

        if (list.Items.Count > max)
        {
            problems.Add(list, string.Create(CultureInfo.InvariantCulture, $"{key.Path}: {list.Items.Count} items; expected at most {max}"));
            return null;
        }

        SettingValues?[] items = [.. list.Items.Select(one => ReadItem(one, key, problems))];
        return items.Contains(null) ? null : (IReadOnlyList<SettingValues>)[.. items.Cast<SettingValues>()];
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteString("type", "array");
        schema.WriteNumber("maxItems", max);
        schema.WriteStartObject("items");
        if (shorthandKey is not null)
        {
            schema.WriteStartArray("oneOf");
            schema.WriteStartObject();
            keys.Single(key => key.Key == shorthandKey).Type.WriteSchema(schema);
            schema.WriteEndObject();
            schema.WriteStartObject();
        }

        SpecReference.WriteProperties(schema, keys);
        schema.WriteStartArray("required");
        foreach (string name in required)
        {
            schema.WriteStringValue(name);
        }

        schema.WriteEndArray();
        if (shorthandKey is not null)
        {
            schema.WriteEndObject();
            schema.WriteEndArray();
        }

        schema.WriteEndObject();
    }

    private SettingValues? ReadItem(YamlItem item, SpecKey key, SpecProblems problems)
    {
        YamlMap? map = item switch
        {
            YamlMap written => written,
            YamlText { IsNull: false } word when shorthandKey is not null =>
                new YamlMap([(word with { Value = shorthandKey }, word)], word.Line, word.Column) { File = word.File },
            _ => null,
        };
        if (map is null)
        {
            string found = item switch { YamlList => "a list", YamlText { IsNull: true } => "nothing", _ => "a single value" };
            problems.Add(item, $"{key.Path}: expected an item with {string.Join(", ", keys.Select(one => one.Key))}, as in: {key.Example}; found {found}");
            return null;
        }

        int before = problems.Count;
        var values = new SettingValues(problems.File, OriginKind.Spec);
        SpecReader.BindMap(map, keys, key.Path, values, problems);
        if (problems.Count == before)
        {
            foreach (string name in required.Where(name => values.Place($"{key.Path}[].{name}") is null))
            {
                problems.Add(item, $"{key.Path}: {name} is missing, as in: {key.Example}");
            }

            check?.Invoke(values, item, problems);
        }

        values.Whole = item;
        return problems.Count == before ? values : null;
    }
}
