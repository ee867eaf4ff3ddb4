using System.Text.Json;

namespace Virtigo.Appliances;

/// <summary>The keys by which a spec is put together of several files, or makes several appliances.</summary>
internal static partial class SpecKeys
{
    /// <summary>The spec that one builds on.</summary>
    public const string From = "from";

    /// <summary>The files whose keys belong to a spec.</summary>
    public const string Include = "include";

    /// <summary>The variables.</summary>
    public const string Variables = "variables";

    /// <summary>What the appliances of a spec differ in.</summary>
    public const string Matrix = "matrix";

    /// <summary>Whether a key says how a spec is put together, and not what is built.</summary>
    public static bool IsComposing(string key) => key is From or Include or Variables or Matrix;

    private static SpecKey[] Composition() =>
    [
        new(From, new WholeType("a file", Text),
            "The spec that this one builds on: it is that appliance, and then what is added here. What is decided here is decided for both; the host name is not inherited, and a profile is added to that one's.",
            "none", "a file in the folder of the spec", "from: base.yml"),
        new(Include, new WholeType("files", TextOrTexts),
            "Files whose keys count as if they were written here. Lists go together; of anything else, what is written here counts, then the later file.",
            "none", "files in the folder of the spec", "include: [users.yml, monitoring.yml]"),
        new(Variables, new WholeType("names with values", schema => schema.WriteString("type", "object")),
            "Values to use as `{{var.name}}` in any text of this file, and in its templates. `--set name=value` and whoever includes this file may give others.",
            "none", "names of lower-case letters, digits and hyphens, with texts; at most 200", "variables: {site: example.org}"),
        new(Matrix, new WholeType("keys with lists of values", schema => schema.WriteString("type", "object")),
            "Makes an appliance of each combination of values, of keys that have a single value and of variables (`var.name`). `--set key=value` chooses.",
            "one appliance", "keys or `var.name`, each with a list; at most 100 appliances", "matrix: {release: [bookworm, trixie]}"),
    ];

    private static void Text(Utf8JsonWriter schema) => schema.WriteString("type", "string");

    private static void TextOrTexts(Utf8JsonWriter schema)
    {
        schema.WriteStartArray("type");
        schema.WriteStringValue("string");
        schema.WriteStringValue("array");
        schema.WriteEndArray();
    }
}
