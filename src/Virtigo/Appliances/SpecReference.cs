using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Virtigo.Appliances;

/// <summary>The reference of a spec's keys, made from the one table: for editors and for people.</summary>
public static class SpecReference
{
    // Relaxed: the text goes into a file of its own, never into a web page.
    private static readonly JsonWriterOptions s_readable = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A JSON schema (draft 7, which editors understand) of a spec.</summary>
    public static string JsonSchema()
    {
        using var output = new MemoryStream();
        using (var schema = new Utf8JsonWriter(output, s_readable))
        {
            schema.WriteStartObject();
            schema.WriteString("$schema", "http://json-schema.org/draft-07/schema#");
            schema.WriteString("title", "Virtigo appliance");
            WriteProperties(schema, SpecKeys.All);
            schema.WriteEndObject();
        }

        return Encoding.UTF8.GetString(output.ToArray()) + "\n";
    }

    /// <summary>The keys as a Markdown table.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder("| key | meaning | values | default | example |\n|---|---|---|---|---|\n");
        foreach (SpecKey key in Flatten(SpecKeys.All))
        {
            string range = key.Range.Length > 0 ? key.Range : key.Type.Name;
            text.Append($"| `{key.Path}` | {key.Description}{(key.InConfig ? " ¹" : "")} | {range} | {key.Default} | `{key.Example}` |\n");
        }

        return text.Append("\n¹ may also stand in your configuration file, for all appliances.\n").ToString();
    }

    internal static void WriteProperties(Utf8JsonWriter schema, IReadOnlyList<SpecKey> keys)
    {
        schema.WriteString("type", "object");
        schema.WriteBoolean("additionalProperties", false);
        schema.WriteStartObject("properties");
        foreach (SpecKey key in keys)
        {
            schema.WriteStartObject(key.Key);
            schema.WriteString("description", $"{key.Description} Default: {key.Default}.");
            key.Type.WriteSchema(schema);
            schema.WriteEndObject();
        }

        schema.WriteEndObject();
    }

    internal static IEnumerable<SpecKey> Flatten(IEnumerable<SpecKey> keys) =>
        keys.SelectMany(key => key.Type switch
        {
            GroupType group => Flatten(group.Keys).Prepend(key),
            ItemsType items => Flatten(items.Keys).Prepend(key),
            _ => [key],
        });
}
