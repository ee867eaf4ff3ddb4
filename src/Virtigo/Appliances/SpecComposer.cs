using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Virtigo.Appliances;

/// <summary>A spec as its files say it together.</summary>
/// <param name="File">The file, for messages.</param>
/// <param name="Map">Its keys, with those of what it includes.</param>
/// <param name="From">The spec it builds on; null for none.</param>
/// <param name="FromPlace">Where that is named.</param>
/// <param name="Variables">The values of its variables.</param>
internal sealed record ComposedSpec(
    string File, YamlMap Map, ComposedSpec? From, YamlText? FromPlace, IReadOnlyDictionary<string, string> Variables)
{
    /// <summary>The same with values that whoever builds on it has decided otherwise.</summary>
    /// <param name="overrides">Those values.</param>
    public ComposedSpec With(YamlMap overrides) => this with
    {
        Map = SpecMerge.Over(Map, overrides),
        From = From?.With(overrides),
    };
}

/// <summary>
/// Puts a spec together of its file, the files it includes, the one it builds on, and the values of its variables. All files are in the folder
/// of the spec; how many there are and what variables can grow to is bounded.
/// </summary>
/// <param name="folder">The folder.</param>
/// <param name="problems">What is wrong is added here.</param>
internal sealed partial class SpecComposer(SpecFolder folder, SpecProblems problems)
{
    private const int MaxFiles = 64;
    private const int MaxVariables = 200;
    private const int MaxExpandedBytes = 4 << 20;
    private const string Prefix = "var.";
    private readonly List<string> _open = [];
    private int _files;
    private int _expanded;

    /// <summary>The names of a spec's variables, as it declares them.</summary>
    public static IReadOnlyList<string> Declared(YamlMap spec) =>
        spec.Find(SpecKeys.Variables) is YamlMap variables ? [.. variables.Entries.Select(entry => entry.Key.Value)] : [];

    /// <summary>A variable's name without what tells it from a key.</summary>
    public static string Bare(string name) => name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name;

    /// <summary>Composes the spec that a text says.</summary>
    /// <param name="spec">The text's keys, without a matrix.</param>
    /// <param name="file">The text's file, for messages.</param>
    /// <param name="given">Values for variables, which replace those that are written.</param>
    public ComposedSpec Compose(YamlMap spec, string file, IReadOnlyDictionary<string, string> given)
    {
        _open.Add(Path.GetFileName(file));
        if (spec.Find(SpecKeys.Matrix) is { } matrix)
        {
            problems.Add(matrix, "matrix: only the spec that is built has one: no file that it includes or builds on, and no machine of an environment");
        }

        Dictionary<string, string> variables = VariablesOf(spec, given);
        var own = new YamlMap([.. spec.Entries.Where(entry => !SpecKeys.IsComposing(entry.Key.Value)).Select(entry => (entry.Key, Fill(entry.Value, variables)))],
            spec.Line, spec.Column) { File = spec.File };
        var map = new YamlMap([], spec.Line, spec.Column) { File = spec.File };
        foreach (YamlText included in Names(spec, SpecKeys.Include, variables))
        {
            if (Open(included, variables) is not { } part)
            {
                continue;
            }

            if (part.From is not null)
            {
                problems.Add(part.FromPlace!, "from: a file that is included cannot build on another; say it in the spec that includes it");
            }

            map = SpecMerge.Over(map, part.Map);
        }

        YamlText? place = Names(spec, SpecKeys.From, variables).FirstOrDefault();
        ComposedSpec? from = place is null ? null : Open(place, variables);
        map = SpecMerge.Over(map, own);
        _open.RemoveAt(_open.Count - 1);
        return new ComposedSpec(file, map, from?.With(SpecMerge.Overrides(map)), place, variables);
    }

    private Dictionary<string, string> VariablesOf(YamlMap spec, IReadOnlyDictionary<string, string> given)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        switch (spec.Find(SpecKeys.Variables))
        {
            case null or YamlText { IsNull: true }:
                break;
            case YamlMap { Entries.Count: <= MaxVariables } map:
                foreach ((YamlText name, YamlItem value) in map.Entries)
                {
                    if (!VariableName().IsMatch(name.Value))
                    {
                        problems.Add(name, $"variables: {SpecProblems.Quote(name.Value)} is no name: expected lower-case letters, digits and hyphens");
                    }
                    else if (value is not YamlText text || text.Value.Contains("{{" + Prefix, StringComparison.Ordinal))
                    {
                        problems.Add(value, $"variables: {name.Value}: expected a text, and no other variable in it");
                    }
                    else
                    {
                        variables[name.Value] = given.GetValueOrDefault(name.Value, text.Value);
                    }
                }

                break;
            case { } other:
                problems.Add(other, string.Create(CultureInfo.InvariantCulture, $"variables: expected names with their values, at most {MaxVariables}, as in: variables: {{version: 1.26}}"));
                break;
        }

        return variables;
    }

    private IEnumerable<YamlText> Names(YamlMap spec, string key, Dictionary<string, string> variables)
    {
        IReadOnlyList<YamlItem> items = spec.Find(key) switch
        {
            null or YamlText { IsNull: true } => [],
            YamlList list when key == SpecKeys.Include => list.Items,
            { } one => [one],
        };
        foreach (YamlItem item in items)
        {
            if (Fill(item, variables) is YamlText name)
            {
                yield return name;
            }
            else
            {
                problems.Add(item, $"{key}: expected the name of a file in the folder of the spec, as in: {key}: base.yml");
            }
        }
    }

    private ComposedSpec? Open(YamlText name, Dictionary<string, string> given)
    {
        // In one folder, so that the files that a spec names are the same whoever includes it.
        if (name.Value.Contains('/', StringComparison.Ordinal))
        {
            problems.Add(name, $"{SpecProblems.Quote(name.Value)} is not in the folder of the spec; put the file beside the spec, and give its name alone");
            return null;
        }

        if (_open.Contains(name.Value))
        {
            problems.Add(name, $"{SpecProblems.Quote(name.Value)} leads back to itself: {string.Join(" → ", [.. _open, name.Value])}");
            return null;
        }

        if (++_files > MaxFiles)
        {
            problems.Add(name, string.Create(CultureInfo.InvariantCulture, $"{SpecProblems.Quote(name.Value)} is one file too many; a spec is put together of at most {MaxFiles}"));
            return null;
        }

        string label = Path.Combine(Path.GetDirectoryName(problems.File) ?? "", name.Value);
        string text;
        try
        {
            byte[] bytes = folder.ReadFile(name.Value, string.Create(CultureInfo.InvariantCulture, $"{name.File ?? problems.File}:{name.Line}:{name.Column}"), ApplianceSpec.MaxFileBytes);
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            problems.Add(name, $"{SpecProblems.Quote(name.Value)} is not UTF-8 text");
            return null;
        }

        switch (YamlTree.Read(text, problems, label))
        {
            case YamlMap map:
                return Compose(map, label, given);
            case null or YamlText { IsNull: true }:
                return Compose(new YamlMap([], 1, 1) { File = label }, label, given);
            case { } other:
                problems.Add(other, "expected keys of a spec, one a line, as in: packages: [nginx]");
                return null;
        }
    }

    private YamlItem Fill(YamlItem item, Dictionary<string, string> variables) => item switch
    {
        YamlText text when text.Value.Contains("{{", StringComparison.Ordinal) => Fill(text, variables),
        YamlList list => list with { Items = [.. list.Items.Select(one => Fill(one, variables))] },
        YamlMap map => map with { Entries = [.. map.Entries.Select(entry => (entry.Key, Fill(entry.Value, variables)))] },
        _ => item,
    };

    private YamlText Fill(YamlText text, Dictionary<string, string> variables)
    {
        string filled = Place().Replace(text.Value, place =>
        {
            string name = place.Groups["name"].Value;
            if (!variables.TryGetValue(name, out string? value))
            {
                problems.Add(text, $"{SpecProblems.Quote(name)} is no variable of this file"
                    + (SpecProblems.Suggest(name, variables.Keys) is { Length: > 0 } meant ? meant : $"; declare it, as in: variables: {{{name}: value}}"));
                return place.Value;
            }

            if (_expanded <= MaxExpandedBytes && (_expanded += value.Length) > MaxExpandedBytes)
            {
                problems.Add(text, string.Create(CultureInfo.InvariantCulture, $"the values of variables are too much text: more than {MaxExpandedBytes} characters in all"));
            }

            return _expanded <= MaxExpandedBytes ? value : "";
        });
        return filled == text.Value ? text : text with { Value = filled, FromVariable = true };
    }

    [GeneratedRegex(@"\{\{\s*var\.(?<name>[A-Za-z0-9_.-]{1,64})\s*\}\}", RegexOptions.CultureInvariant)]
    private static partial Regex Place();

    [GeneratedRegex(@"\A[a-z][a-z0-9-]{0,63}\z", RegexOptions.CultureInvariant)]
    private static partial Regex VariableName();
}
