using CsCheck;
using Virtigo.Appliances;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class YamlTreeFuzzTests
{
    private static readonly string[] s_pieces =
    [
        "packages", "user", "root", "disk", ": ", "\n", "  ", "- ", "[", "]", "{", "}", "&a", "*a", "!t", "|", ">", "'", "\"",
        "#", "? ", "---", "...", "%YAML 1.2", "<<", "\t", "8GiB", "\u0000", "\ud800", ",",
    ];

    [Fact]
    public void Any_text_is_a_spec_or_a_told_mistake()
    {
        Gen<string> piece = Gen.OneOf(Gen.Int[0, s_pieces.Length - 1].Select(index => s_pieces[index]), Gen.String[0, 4]);
        piece.Array[0, 40].Select(string.Concat).Sample(
            yaml =>
            {
                try
                {
                    ApplianceSpec.Parse(yaml, "web.yml");
                    return true;
                }
                catch (VirtigoException told)
                {
                    return told.Kind == FailureKind.Usage && told.Message.StartsWith("web.yml:", StringComparison.Ordinal);
                }
            },
            iter: 3000);
    }

    [Fact]
    public void Deep_nesting_is_refused_quickly()
    {
        string yaml = new string('[', 100_000);
        Assert.Contains("nested too deeply", Assert.Throws<VirtigoException>(() => ApplianceSpec.Parse("packages: " + yaml, "web.yml")).Message);
    }

    [Fact]
    public void Endless_items_are_refused()
    {
        string yaml = "packages:\n" + string.Concat(Enumerable.Repeat("- a\n", 60_000));
        Assert.Contains("too many items", Assert.Throws<VirtigoException>(() => ApplianceSpec.Parse(yaml, "web.yml")).Message);
    }
}
