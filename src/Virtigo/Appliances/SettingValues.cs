using System.Globalization;

namespace Virtigo.Appliances;

/// <summary>The values read from one file, by the path of their key.</summary>
internal sealed class SettingValues(string file, OriginKind kind)
{
    private readonly Dictionary<string, (object Value, YamlItem Place)> _values = [];

    /// <summary>The file the values were read from.</summary>
    public string File => file;

    /// <summary>The item that the values were read from, when they are those of an item of a list.</summary>
    public YamlItem? Whole { get; set; }

    /// <summary>Where the item stands, as <c>file:line:column</c>.</summary>
    public string At() => At(Whole!);

    /// <summary>Where a value stands, as <c>file:line:column</c>.</summary>
    public string At(string path) => At(Place(path)!);

    /// <summary>The items of a list, or none.</summary>
    public IReadOnlyList<SettingValues> Items(string path) => Get<IReadOnlyList<SettingValues>>(path)?.Value ?? [];

    /// <summary>The items of a list of texts, or none.</summary>
    public IReadOnlyList<string> Texts(string path) => Get<IReadOnlyList<string>>(path)?.Value ?? [];

    public string? Text(string path) => Get<string>(path)?.Value;

    public void Set(string path, object value, YamlItem place) => _values[path] = (value, place);

    public YamlItem? Place(string path) => _values.TryGetValue(path, out var found) ? found.Place : null;

    public Origin? OriginOf(string path) => Place(path) is { } place ? OriginAt(place) : null;

    public Origin OriginAt(YamlItem place) => new(kind, string.Create(CultureInfo.InvariantCulture, $"{place.File ?? file}:{place.Line}"));

    public Setting<T>? Get<T>(string path) =>
        _values.TryGetValue(path, out var found) ? new Setting<T>((T)found.Value, OriginOf(path)!) : null;

    public SecretText? Secret(string path) => _values.TryGetValue(path, out var found) ? new SecretText((string)found.Value) : null;

    /// <summary>The text with every secret in it replaced.</summary>
    public string Redact(string text, IEnumerable<SpecKey> keys)
    {
        foreach (YamlText secret in Secrets(keys).Where(secret => secret.File is null).OrderByDescending(secret => secret.Source.Start.Value))
        {
            string end = text[secret.Source].EndsWith('\n') ? "\n" : "";
            text = $"{text[..secret.Source.Start]}\"***\"{end}{text[secret.Source.End..]}";
        }

        return text;
    }

    /// <summary>Where an item of the file stands.</summary>
    public string At(YamlItem place) => string.Create(CultureInfo.InvariantCulture, $"{place.File ?? file}:{place.Line}:{place.Column}");

    private IEnumerable<YamlText> Secrets(IEnumerable<SpecKey> keys) => keys.SelectMany(key => key.Type switch
    {
        ItemsType items => Items(key.Path).SelectMany(item => item.Secrets(items.Keys)),
        GroupType group => Secrets(group.Keys),
        DebconfType => Get<IReadOnlyList<DebconfWish>>(key.Path)?.Value.Where(wish => wish.Type == "password").Select(wish => wish.Written) ?? [],
        AutoinstallType => Get<AutoinstallWish>(key.Path)?.Value.Secrets ?? [],
        PreseedType => Place(key.Path) is YamlText text && PreseedType.IsText(text.Value) && PreseedType.HoldsSecret(text.Value) ? [text] : [],
        _ => key.Secret && Place(key.Path) is YamlText secret ? [secret] : (IEnumerable<YamlText>)[],
    });
}
