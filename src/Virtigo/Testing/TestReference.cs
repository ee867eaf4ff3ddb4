using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Environments;
using Virtigo.Environments.Steps;

namespace Virtigo.Testing;

/// <summary>The reference of files with machines and tests, made from the tables: for editors and for people.</summary>
public static class TestReference
{
    // Relaxed: the text goes into a file of its own, never into a web page.
    private static readonly JsonWriterOptions s_readable = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A JSON schema (draft 7, which editors understand) of a file.</summary>
    public static string JsonSchema()
    {
        using var output = new MemoryStream();
        using (var schema = new Utf8JsonWriter(output, s_readable))
        {
            schema.WriteStartObject();
            schema.WriteString("$schema", "http://json-schema.org/draft-07/schema#");
            schema.WriteString("title", "Virtigo environment and its tests");
            SpecReference.WriteProperties(schema, [.. EnvironmentKeys.All, .. TestKeys.OfFile]);
            schema.WriteEndObject();
        }

        return Encoding.UTF8.GetString(output.ToArray()) + "\n";
    }

    /// <summary>The keys of the file, of machines, networks and tests, and every step, as Markdown.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder();
        Section(text, "Keys of the file", [.. EnvironmentKeys.All, .. TestKeys.OfFile]);
        Section(text, "Keys of a machine", EnvironmentKeys.MachineKeys);
        Section(text, "Keys of a network", EnvironmentKeys.NetworkKeys);
        Section(text, "Keys of a test", [.. SpecReference.Flatten(TestKeys.OfTest)]);
        return text.Append("## Steps\n\n").Append(StepReference.Markdown()).ToString();
    }

    private static void Section(StringBuilder text, string title, IReadOnlyList<SpecKey> keys)
    {
        text.Append($"## {title}\n\n| key | meaning | values | default | example |\n|---|---|---|---|---|\n");
        foreach (SpecKey key in keys)
        {
            text.Append($"| `{key.Path}` | {key.Description} | {(key.Range.Length > 0 ? key.Range : key.Type.Name)} | {key.Default} | `{key.Example}` |\n");
        }

        text.Append('\n');
    }
}
