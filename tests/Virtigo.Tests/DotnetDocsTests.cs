using System.Text.RegularExpressions;
using Virtigo.Environments;
using Xunit;

namespace Virtigo.Tests;

/// <summary>What docs/dotnet.md shows is what tests/Virtigo.PackageTests does.</summary>
public sealed partial class DotnetDocsTests
{
    private static readonly string s_page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "dotnet.md"));

    [Fact]
    public void Every_piece_of_code_shown_is_a_region_of_the_tests_and_every_region_is_shown()
    {
        string folder = Path.Combine(Repository.Root, "tests", "Virtigo.PackageTests");
        IEnumerable<string> regions = Directory.EnumerateFiles(folder).Where(file => Path.GetExtension(file) is ".cs" or ".csproj")
            .SelectMany(file => Region().Matches(File.ReadAllText(file))).Select(match => Outdented(match.Groups[1].Value));

        Assert.Equal(regions.Order(StringComparer.Ordinal), Blocks("csharp").Concat(Blocks("xml")).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Every_environment_shown_is_one()
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        string file = Path.Combine(Directory.CreateTempSubdirectory("virtigo-docs").FullName, "shop.yml");
        foreach (string yaml in Blocks("yaml"))
        {
            await File.WriteAllTextAsync(file, yaml, cancel);
            Assert.Equal("shop", (await EnvironmentReader.LoadAsync(file, cancel)).Name);
        }

        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Fact]
    public void The_getting_started_is_ten_lines_long() =>
        Assert.InRange(Blocks("csharp").First().Split('\n').Count(line => line.Any(char.IsLetterOrDigit)), 1, 10);

    private static IEnumerable<string> Blocks(string language) =>
        Block().Matches(s_page).Where(match => match.Groups[1].Value == language).Select(match => match.Groups[2].Value);

    private static string Outdented(string text)
    {
        string[] lines = text.Split('\n');
        int indent = lines.Where(line => line.Length > 0).Min(line => line.Length - line.TrimStart().Length);
        return string.Join('\n', lines.Select(line => line.Length > 0 ? line[indent..] : line));
    }

    [GeneratedRegex(@"#region [^\n]*\n(.*?)\n[^\n]*#endregion", RegexOptions.Singleline)]
    private static partial Regex Region();

    [GeneratedRegex(@"^```(\w+)\n(.*?)\n```$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Block();
}
