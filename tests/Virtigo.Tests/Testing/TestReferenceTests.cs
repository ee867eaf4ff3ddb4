using System.Text.Json;
using Virtigo.Testing;
using Xunit;

namespace Virtigo.Tests.Testing;

public sealed class TestReferenceTests
{
    [Fact]
    public void The_schema_is_json_and_names_every_key_of_the_file()
    {
        using JsonDocument schema = JsonDocument.Parse(TestReference.JsonSchema());
        JsonElement properties = schema.RootElement.GetProperty("properties");
        Assert.All(["machines", "networks", "ready", "egress", "forward", "tests", "limit", "total limit", "allow console"], key => properties.GetProperty(key));
        Assert.False(schema.RootElement.GetProperty("additionalProperties").GetBoolean());
    }

    [Fact]
    public void The_page_about_tests_has_the_current_reference()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "tests.md"));
        Assert.True(page.Contains(TestReference.Markdown(), StringComparison.Ordinal),
            $"docs/tests.md is out of date; put what `virtigo schema test --markdown` prints between its markers:\n{TestReference.Markdown()}");
    }

    [Fact]
    public void The_example_is_a_file_with_three_tests()
    {
        string path = Path.Combine(Repository.Root, "examples", "shop.yml");
        Assert.Equal(3, TestFile.Parse(File.ReadAllText(path), path).Tests.Count);
    }

    [Fact]
    public void The_files_that_the_page_shows_are_those_of_the_examples()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "tests.md"));
        string[] shown = [.. page.Split("```yaml\n# examples/").Skip(1).Select(block => block.Split("\n```")[0])];
        Assert.Equal(["shop.yml", "database.yml"], shown.Select(block => block.Split('\n')[0]));
        Assert.All(shown, block =>
        {
            string path = Path.Combine(Repository.Root, "examples", block.Split('\n')[0]);
            string file = File.ReadAllText(path);
            Assert.EndsWith(block[(block.IndexOf('\n', StringComparison.Ordinal) + 1)..], file.TrimEnd('\n'), StringComparison.Ordinal);
            Assert.NotEmpty(TestFile.Parse(file, path).Tests);
        });
    }
}
