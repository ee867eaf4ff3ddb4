using System.Text.Json;
using Virtigo.Appliances;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class SpecReferenceTests
{
    [Fact]
    public void Every_example_in_the_table_is_a_valid_spec()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-examples-");
        foreach (string beside in (string[])["base.yml", "users.yml", "monitoring.yml"])
        {
            File.WriteAllText(Path.Combine(folder.FullName, beside), "");
        }

        foreach (SpecKey key in SpecKeys.All.Where(key => !key.Example.Contains('…')))
        {
            Assert.NotEmpty(SpecReader.Parse(key.Example, Path.Combine(folder.FullName, "web.yml"), new SpecOptions()));
        }

        folder.Delete(recursive: true);
    }

    [Fact]
    public void The_schema_is_json_and_names_every_key()
    {
        using JsonDocument schema = JsonDocument.Parse(SpecReference.JsonSchema());
        JsonElement properties = schema.RootElement.GetProperty("properties");
        Assert.Equal(SpecKeys.All.Select(key => key.Key), properties.EnumerateObject().Select(property => property.Name));
        Assert.False(schema.RootElement.GetProperty("additionalProperties").GetBoolean());
        Assert.Equal(64, properties.GetProperty("cpus").GetProperty("maximum").GetInt32());
    }

    [Fact]
    public void The_page_about_specs_has_the_current_table()
    {
        string page = Path.Combine(Repository.Root, "docs", "spec.md");
        string text = File.ReadAllText(page);
        Assert.True(text.Contains(SpecReference.Markdown(), StringComparison.Ordinal),
            $"docs/spec.md is out of date; put this between its markers:\n{SpecReference.Markdown()}");
    }
}
