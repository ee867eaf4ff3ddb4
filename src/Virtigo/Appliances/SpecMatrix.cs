using System.Globalization;

namespace Virtigo.Appliances;

/// <summary>One of the appliances that a spec describes.</summary>
/// <param name="Map">The spec's keys, with the values of this appliance.</param>
/// <param name="Variables">Values given to its variables.</param>
/// <param name="Suffix">What its name ends in; empty when the spec describes this one alone.</param>
internal sealed record SpecVariant(YamlMap Map, IReadOnlyDictionary<string, string> Variables, string Suffix);

/// <summary>The appliances that a spec describes: one, or one for each combination of its matrix.</summary>
internal static class SpecMatrix
{
    private const int Max = 100;

    /// <summary>The appliances.</summary>
    /// <param name="spec">The spec's keys.</param>
    /// <param name="set">Values given from outside, for variables and for what the matrix varies.</param>
    /// <param name="problems">What is wrong is added here; then there are none.</param>
    public static IReadOnlyList<SpecVariant> Variants(YamlMap spec, IReadOnlyDictionary<string, string> set, SpecProblems problems)
    {
        IReadOnlyList<string> declared = SpecComposer.Declared(spec);
        var axes = new List<(string Name, IReadOnlyList<YamlText> Values)>();
        long count = 1;
        foreach ((YamlText name, YamlItem values) in AxesOf(spec, problems))
        {
            IReadOnlyList<YamlText> all = ValuesOf(name, values, declared, problems);
            count *= Math.Max(1, all.Count);
            axes.Add((name.Value, all));
        }

        if (count > Max)
        {
            problems.Add(spec.Find(SpecKeys.Matrix)!, string.Create(CultureInfo.InvariantCulture, $"matrix: {count} appliances; expected at most {Max}"));
        }

        var given = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string name, string value) in set)
        {
            Give(name, value, axes, declared, given);
        }

        if (problems.Any)
        {
            return [];
        }

        YamlMap without = spec with { Entries = [.. spec.Entries.Where(entry => entry.Key.Value != SpecKeys.Matrix)] };
        SpecVariant[] variants = [.. Combine(new SpecVariant(without, given, ""), axes)];
        if (variants.GroupBy(variant => variant.Suffix).FirstOrDefault(same => same.Count() > 1) is { } twice)
        {
            problems.Add(spec.Find(SpecKeys.Matrix)!, $"matrix: two of its appliances would have the same name, which ends in {SpecProblems.Quote(twice.Key)}");
        }

        return variants;
    }

    private static IReadOnlyList<(YamlText, YamlItem)> AxesOf(YamlMap spec, SpecProblems problems)
    {
        switch (spec.Find(SpecKeys.Matrix))
        {
            case null or YamlText { IsNull: true }:
                return [];
            case YamlMap axes:
                return axes.Entries;
            case { } other:
                problems.Add(other, "matrix: expected keys with lists of values, as in: matrix: {release: [bookworm, trixie]}");
                return [];
        }
    }

    private static IReadOnlyList<YamlText> ValuesOf(YamlText name, YamlItem values, IReadOnlyList<string> declared, SpecProblems problems)
    {
        bool known = SpecComposer.Bare(name.Value) is { } bare && bare != name.Value
            ? declared.Contains(bare)
            : SpecKeys.All.Any(key => key.Key == name.Value && key.Type is TextType or CountType or FlagType or SizeType && !key.Secret);
        if (!known)
        {
            problems.Add(name, $"matrix: {SpecProblems.Quote(name.Value)} is neither a key with a single value nor a variable of this file (var.name)");
            return [];
        }

        if (values is YamlList { Items.Count: > 0 } list && list.Items.All(item => item is YamlText { IsNull: false }))
        {
            return [.. list.Items.Cast<YamlText>()];
        }

        problems.Add(values, $"matrix: {name.Value}: expected a list of values, as in: {name.Value}: [one, other]");
        return [];
    }

    private static void Give(
        string name, string value, List<(string Name, IReadOnlyList<YamlText> Values)> axes, IReadOnlyList<string> declared, Dictionary<string, string> given)
    {
        int axis = axes.FindIndex(one => one.Name == name || SpecComposer.Bare(one.Name) == name);
        if (axis >= 0)
        {
            IReadOnlyList<YamlText> values = axes[axis].Values;
            YamlText chosen = values.FirstOrDefault(one => one.Value == value) ?? throw new VirtigoException(FailureKind.Usage,
                $"--set {name}: {SpecProblems.Quote(value)} is none of the matrix's: {string.Join(", ", values.Select(one => one.Value))}.");
            axes[axis] = (axes[axis].Name, [chosen]);
        }
        else if (declared.Contains(SpecComposer.Bare(name)))
        {
            given[SpecComposer.Bare(name)] = value;
        }
        else
        {
            IEnumerable<string> names = axes.Select(one => one.Name).Concat(declared);
            throw new VirtigoException(FailureKind.Usage,
                $"--set: the spec has no variable {SpecProblems.Quote(name)}"
                + (SpecProblems.Suggest(name, names) is { Length: > 0 } meant ? meant : names.Any() ? $"; it has {string.Join(", ", names)}" : "") + ".",
                "Declare it in the spec, as in: variables: {site: example.org}");
        }
    }

    private static IEnumerable<SpecVariant> Combine(SpecVariant variant, IEnumerable<(string Name, IReadOnlyList<YamlText> Values)> axes) =>
        axes.Aggregate((IEnumerable<SpecVariant>)[variant], (sofar, axis) => sofar.SelectMany(one => axis.Values.Select(value => With(one, axis.Name, value))));

    private static SpecVariant With(SpecVariant variant, string axis, YamlText value)
    {
        string suffix = (variant.Suffix.Length == 0 ? "" : variant.Suffix + "-") + Label(value.Value);
        string bare = SpecComposer.Bare(axis);
        return bare != axis
            ? variant with { Suffix = suffix, Variables = new Dictionary<string, string>(variant.Variables, StringComparer.Ordinal) { [bare] = value.Value } }
            : variant with
            {
                Suffix = suffix,
                Map = variant.Map with
                {
                    Entries = [.. variant.Map.Entries.Where(entry => entry.Key.Value != axis), (value with { Value = axis }, value)],
                },
            };
    }

    private static string Label(string value) =>
        new string([.. value.ToLowerInvariant().Select(character => char.IsAsciiLetterOrDigit(character) ? character : '-')]).Trim('-');
}
