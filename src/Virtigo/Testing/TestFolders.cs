using System.Globalization;

namespace Virtigo.Testing;

/// <summary>Names of the folders of tests below the artifacts folder: the tests' names as far as they can be file names.</summary>
internal sealed class TestFolders
{
    private const int MaxLength = 80;
    private readonly Dictionary<string, string> _names = [];

    public TestFolders(IEnumerable<TestCase> tests)
    {
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (TestCase test in tests)
        {
            string name = Slug(test.Name);
            string unique = taken.Add(name) ? name : string.Create(CultureInfo.InvariantCulture, $"{name}-line-{test.Line}");
            taken.Add(unique);
            _names[test.Name] = unique;
        }
    }

    /// <summary>The folder of one attempt, relative to the artifacts folder.</summary>
    public string Of(string test, int repetition, int repetitions, int attempt)
    {
        string folder = _names[test];
        folder = repetitions > 1 ? Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"repetition-{repetition}")) : folder;
        return attempt > 1 ? Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"attempt-{attempt}")) : folder;
    }

    private static string Slug(string name)
    {
        string slug = new([.. name.Take(MaxLength).Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '-')]);
        return slug.Trim('.', '-') is { Length: > 0 } good ? good : "test";
    }
}
