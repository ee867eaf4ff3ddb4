using System.Globalization;

namespace Virtigo.Appliances;

/// <summary>The values read from one file, by the path of their key.</summary>
internal sealed class SettingValues(string file, OriginKind kind)
{
    private readonly Dictionary<string, (object Value, YamlItem Place)> _values = [];

    public void Set(string path, object value, YamlItem place) => _values[path] = (value, place);

    public YamlItem? Place(string path) => _values.TryGetValue(path, out var found) ? found.Place : null;

    public Origin? OriginOf(string path) => Place(path) is { } place
        ? new Origin(kind, string.Create(CultureInfo.InvariantCulture, $"{file}:{place.Line}"))
        : null;

    public Setting<T>? Get<T>(string path) =>
        _values.TryGetValue(path, out var found) ? new Setting<T>((T)found.Value, OriginOf(path)!) : null;

    public SecretText? Secret(string path) => _values.TryGetValue(path, out var found) ? new SecretText((string)found.Value) : null;

    /// <summary>The text with every secret in it replaced.</summary>
    public string Redact(string text, IEnumerable<SpecKey> keys)
    {
        IEnumerable<YamlText> secrets = keys.Where(key => key.Secret).Select(key => Place(key.Path)).OfType<YamlText>();
        foreach (YamlText secret in secrets.OrderByDescending(secret => secret.Source.Start.Value))
        {
            string end = text[secret.Source].EndsWith('\n') ? "\n" : "";
            text = $"{text[..secret.Source.Start]}\"***\"{end}{text[secret.Source.End..]}";
        }

        return text;
    }
}
