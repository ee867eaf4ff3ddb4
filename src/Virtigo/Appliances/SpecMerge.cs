namespace Virtigo.Appliances;

/// <summary>
/// How the keys of two files become those of one: lists that describe what is added go together, mappings go together key by key, and
/// of anything else the later value counts.
/// </summary>
internal static class SpecMerge
{
    /// <summary>What a spec adds to the one it builds on; all other keys it decides for both.</summary>
    private static readonly string[] s_additions =
        ["packages", "debconf", "repositories", "backports", "pins", "groups", "users", "files", "units", "run", "first-boot"];

    /// <summary>What each of two specs, of which one builds on the other, has for itself.</summary>
    private static readonly string[] s_own = ["hostname", "profile"];

    private static readonly string[] s_mappings = ["disk", "network", "units"];

    /// <summary>The keys of both.</summary>
    /// <param name="below">What counts less, and comes first in lists.</param>
    /// <param name="above">What counts more.</param>
    public static YamlMap Over(YamlMap below, YamlMap above) =>
        Over(below, above, (name, first, second) => SpecKeys.All.FirstOrDefault(key => key.Key == name) switch
        {
            { Type: GroupType group } when s_mappings.Contains(name) => Over(Expanded(group, first), Expanded(group, second), name),
            { Type: DebconfType } => DeepOver(first, second),
            { Type: FlagOrListType } when first is not YamlList || second is not YamlList => second,
            _ when s_additions.Contains(name) => Concat(first, second),
            _ => second,
        });

    /// <summary>The values of a spec that also those it builds on are to have.</summary>
    public static YamlMap Overrides(YamlMap map) =>
        map with { Entries = [.. map.Entries.Where(entry => !s_own.Contains(entry.Key.Value) && !s_additions.Contains(entry.Key.Value))] };

    private static YamlItem Over(YamlItem below, YamlItem above, string group) => (below, above) switch
    {
        (YamlMap first, YamlMap second) => Over(first, second, (_, one, other) => group == "units" ? Concat(one, other) : other),
        _ => above,
    };

    private static YamlItem DeepOver(YamlItem below, YamlItem above) => (below, above) switch
    {
        (YamlMap first, YamlMap second) => Over(first, second, (_, one, other) => DeepOver(one, other)),
        _ => above,
    };

    private static YamlMap Over(YamlMap below, YamlMap above, Func<string, YamlItem, YamlItem, YamlItem> both)
    {
        Dictionary<string, (YamlText Key, YamlItem Value)> upper = above.Entries.ToDictionary(entry => entry.Key.Value, StringComparer.Ordinal);
        List<(YamlText, YamlItem)> entries = [];
        foreach ((YamlText key, YamlItem value) in below.Entries)
        {
            entries.Add(upper.Remove(key.Value, out (YamlText Key, YamlItem Value) over) ? (over.Key, both(key.Value, value, over.Value)) : (key, value));
        }

        entries.AddRange(above.Entries.Where(entry => upper.ContainsKey(entry.Key.Value)));
        return above with { Entries = entries };
    }

    private static YamlItem Expanded(GroupType group, YamlItem item) => item is YamlText { IsNull: false } word ? group.Expand(word) ?? item : item;

    private static YamlList Concat(YamlItem first, YamlItem second) =>
        new([.. Items(first), .. Items(second)], second.Line, second.Column) { File = second.File };

    private static IReadOnlyList<YamlItem> Items(YamlItem item) => item switch
    {
        YamlList list => list.Items,
        YamlText { IsNull: true } => [],
        _ => [item],
    };
}
