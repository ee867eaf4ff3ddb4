using System.Globalization;
using System.Text;
using Virtigo.Host;

namespace Virtigo.Appliances;

/// <summary>Everything wrong with one file, gathered so that a person mends it in one go.</summary>
internal sealed class SpecProblems(string file)
{
    private const int MaxShown = 20;
    private readonly List<(YamlItem Place, string Text)> _found = [];

    public string File => file;

    public bool Any => _found.Count > 0;

    public int Count => _found.Count;

    public void Add(YamlItem where, string text) => _found.Add((where, text));

    public void Add(int line, int column, string text) => Add(new YamlText("", true, line, column), text);

    /// <summary>A value as it may stand in a message: short and printable.</summary>
    public static string Quote(string value)
    {
        var shown = new StringBuilder("'");
        foreach (char character in value.AsSpan(0, Math.Min(value.Length, 60)))
        {
            shown.Append(char.IsControl(character) || char.IsSurrogate(character) ? '?' : character);
        }

        return shown.Append(value.Length > 60 ? "…'" : "'").ToString();
    }

    /// <summary>The text <c>; did you mean 'x'?</c>, or nothing when nothing is near.</summary>
    public static string Suggest(string word, IEnumerable<string> candidates) =>
        NearMatches.Of(word, candidates, most: 1) is [var near] ? $"; did you mean '{near}'?" : "";

    public void ThrowIfAny(string hint)
    {
        if (!Any)
        {
            return;
        }

        string[] lines = [.. _found.OrderBy(problem => problem.Place.File, StringComparer.Ordinal).ThenBy(problem => problem.Place.Line).ThenBy(problem => problem.Place.Column)
            .Select(problem => string.Create(CultureInfo.InvariantCulture, $"{problem.Place.File ?? file}:{problem.Place.Line}:{problem.Place.Column}: {problem.Text}"))
            .Distinct()];
        string more = lines.Length > MaxShown ? $"\n… and {lines.Length - MaxShown} more" : "";
        throw new VirtigoException(FailureKind.Usage, string.Join('\n', lines.Take(MaxShown)) + more, hint);
    }
}
