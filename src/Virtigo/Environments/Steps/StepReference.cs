using System.Text;
using System.Text.Json;
using Virtigo.Appliances;

namespace Virtigo.Environments.Steps;

/// <summary>The reference of the steps, made from the one table: for editors and for people.</summary>
internal static class StepReference
{
    /// <summary>Every step with its keys, as Markdown.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder();
        foreach (StepVerb verb in StepVerbs.All.Prepend(StepVerbs.Command))
        {
            string aliases = verb.Aliases.Count > 0 ? $" or `{string.Join("`, `", verb.Aliases)}`" : "";
            text.Append($"### `{verb.Name}`{aliases}\n\n{verb.Description}\n\n```yaml\n- {verb.Example}\n```\n\n");
            text.Append("| key | meaning | values | default | example |\n|---|---|---|---|---|\n");
            foreach (SpecKey key in verb.Keys)
            {
                string mark = key.Key == verb.Shorthand ? " ¹" : "";
                text.Append($"| `{key.Key}`{mark} | {key.Description} | {(key.Range.Length > 0 ? key.Range : key.Type.Name)} | {Or(key.Default, "-")} | `{key.Example}` |\n");
            }

            text.Append('\n');
        }

        return text.Append("¹ may stand alone in place of the mapping.\n").ToString();
    }

    /// <summary>Writes the JSON schema of a list of steps, as the properties of an object.</summary>
    public static void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteString("type", "array");
        schema.WriteNumber("minItems", 1);
        schema.WriteStartObject("items");
        schema.WriteStartArray("oneOf");
        schema.WriteStartObject();
        schema.WriteStartArray("enum");
        foreach (string word in StepVerbs.All.Where(verb => verb.Bare).SelectMany(verb => verb.Aliases.Prepend(verb.Name)))
        {
            schema.WriteStringValue(word);
        }

        schema.WriteEndArray();
        schema.WriteEndObject();
        schema.WriteStartObject();
        schema.WriteString("type", "object");
        schema.WriteNumber("minProperties", 1);
        schema.WriteNumber("maxProperties", 1);
        schema.WriteStartObject("properties");
        foreach (StepVerb verb in StepVerbs.All)
        {
            foreach (string word in verb.Aliases.Prepend(verb.Name))
            {
                schema.WriteStartObject(word);
                WriteVerb(schema, verb);
                schema.WriteEndObject();
            }
        }

        schema.WriteEndObject();
        schema.WriteStartObject("additionalProperties");
        WriteVerb(schema, StepVerbs.Command);
        schema.WriteEndObject();
        schema.WriteEndObject();
        schema.WriteEndArray();
        schema.WriteEndObject();
    }

    private static void WriteVerb(Utf8JsonWriter schema, StepVerb verb)
    {
        schema.WriteString("description", verb.Description);
        schema.WriteStartArray("oneOf");
        if (verb.Shorthand is { } shorthand)
        {
            schema.WriteStartObject();
            verb.Keys.Single(key => key.Key == shorthand).Type.WriteSchema(schema);
            schema.WriteEndObject();
        }

        if (verb.Bare)
        {
            schema.WriteStartObject();
            schema.WriteString("type", "null");
            schema.WriteEndObject();
        }

        schema.WriteStartObject();
        SpecReference.WriteProperties(schema, verb.Keys);
        schema.WriteEndObject();
        schema.WriteEndArray();
    }

    private static string Or(string text, string otherwise) => text.Length > 0 ? text : otherwise;
}
