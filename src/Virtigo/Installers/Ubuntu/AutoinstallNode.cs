namespace Virtigo.Installers.Ubuntu;

/// <summary>A value of an autoinstall answer.</summary>
internal abstract record AutoinstallNode
{
    /// <summary>The kind in words, for messages.</summary>
    public string Kind => this switch
    {
        AutoinstallMap => "a mapping",
        AutoinstallList => "a list",
        AutoinstallFlag => "true or false",
        AutoinstallNumber => "a number",
        AutoinstallNothing => "nothing",
        _ => "a text",
    };

    /// <summary>Whether two values say the same, whatever their reasons and places.</summary>
    public bool Says(AutoinstallNode other) => (this, other) switch
    {
        (AutoinstallMap one, AutoinstallMap two) => one.Entries.Count == two.Entries.Count
            && one.Entries.All(entry => two.Find(entry.Key) is { } same && entry.Value.Says(same.Value)),
        (AutoinstallList one, AutoinstallList two) => one.Items.Count == two.Items.Count && one.Items.Zip(two.Items).All(pair => pair.First.Says(pair.Second)),
        (AutoinstallText one, AutoinstallText two) => one.Value == two.Value,
        _ => this == other,
    };
}

/// <summary>A text.</summary>
/// <param name="Value">The text.</param>
/// <param name="Secret">Whether it may not be shown.</param>
internal sealed record AutoinstallText(string Value, bool Secret = false) : AutoinstallNode;

/// <summary>True or false.</summary>
/// <param name="Value">Which.</param>
internal sealed record AutoinstallFlag(bool Value) : AutoinstallNode;

/// <summary>A whole number.</summary>
/// <param name="Value">The number.</param>
internal sealed record AutoinstallNumber(long Value) : AutoinstallNode;

/// <summary>Nothing: <c>null</c>.</summary>
internal sealed record AutoinstallNothing : AutoinstallNode;

/// <summary>A list.</summary>
/// <param name="Items">Its items.</param>
internal sealed record AutoinstallList(IReadOnlyList<AutoinstallNode> Items) : AutoinstallNode
{
    /// <summary>A list of texts.</summary>
    public static AutoinstallList Of(params IEnumerable<string> texts) => new([.. texts.Select(text => new AutoinstallText(text))]);
}

/// <summary>A mapping.</summary>
/// <param name="Entries">Its entries, in their order.</param>
internal sealed record AutoinstallMap(IReadOnlyList<AutoinstallEntry> Entries) : AutoinstallNode
{
    /// <summary>The entry of a key, or null.</summary>
    public AutoinstallEntry? Find(string key) => Entries.FirstOrDefault(entry => entry.Key == key);

    /// <summary>A mapping whose entries need no reason.</summary>
    public static AutoinstallMap Of(params IReadOnlyList<(string Key, AutoinstallNode Value)> entries) =>
        new([.. entries.Select(entry => new AutoinstallEntry(entry.Key, entry.Value))]);
}

/// <summary>An entry of a mapping.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Value">Its value.</param>
/// <param name="Reason">Why it is there, as a sentence; empty when the entry it is in says so.</param>
/// <param name="Place">Where it was written, for messages; empty when the entry it is in says so.</param>
internal sealed record AutoinstallEntry(string Key, AutoinstallNode Value, string Reason = "", string Place = "")
{
    /// <summary>Whether it gives way to what a person writes, since nobody asked for it.</summary>
    public bool GivesWay { get; init; }
}

/// <summary>Something wrong with an autoinstall answer.</summary>
/// <param name="Place">Where it was written; empty when Virtigo wrote it.</param>
/// <param name="Message">What is wrong, as a sentence without its full stop.</param>
internal sealed record AutoinstallFinding(string Place, string Message)
{
    /// <inheritdoc/>
    public override string ToString() => Place.Length == 0 ? Message : $"{Place}: {Message}";
}
