using System.Globalization;
using System.Text.Json;
using Virtigo.Installers.Ubuntu;

namespace Virtigo.Appliances;

/// <summary>What a spec says to Ubuntu's installer itself.</summary>
/// <param name="Answers">The answers.</param>
/// <param name="Secrets">The scalars that may not be shown.</param>
internal sealed record AutoinstallWish(AutoinstallMap Answers, IReadOnlyList<YamlText> Secrets);

/// <summary>A mapping in the words of Ubuntu's installer.</summary>
internal sealed class AutoinstallType : SettingType
{
    /// <summary>Keys whose values may not be shown, at any depth. What cloud-init is told may have passwords in many places.</summary>
    private static readonly HashSet<string> s_secret = ["password", "passwd", "hashed_passwd", "plain_text_passwd", "key", "token", "user-data"];

    public override string Name => "a mapping of autoinstall keys";

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        if (item is not YamlMap map)
        {
            WrongType(item, key, problems);
            return null;
        }

        var secrets = new List<YamlText>();
        return new AutoinstallWish(Map(map, isSecret: false, problems.File, secrets), secrets);
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteString("type", "object");
        schema.WriteStartObject("propertyNames");
        schema.WriteStartArray("enum");
        foreach (string name in AutoinstallSchema.Keys)
        {
            schema.WriteStringValue(name);
        }

        schema.WriteEndArray();
        schema.WriteEndObject();
    }

    private static AutoinstallMap Map(YamlMap map, bool isSecret, string file, List<YamlText> secrets) => new(
    [
        .. map.Entries.Select(entry => new AutoinstallEntry(entry.Key.Value, Node(entry.Value, isSecret || s_secret.Contains(entry.Key.Value), file, secrets),
            Place: string.Create(CultureInfo.InvariantCulture, $"{file}:{entry.Key.Line}:{entry.Key.Column}"))),
    ]);

    private static AutoinstallNode Node(YamlItem item, bool isSecret, string file, List<YamlText> secrets)
    {
        switch (item)
        {
            case YamlMap map:
                return Map(map, isSecret, file, secrets);
            case YamlList list:
                return new AutoinstallList([.. list.Items.Select(one => Node(one, isSecret, file, secrets))]);
            case YamlText { IsNull: true }:
                return new AutoinstallNothing();
            case YamlText { Plain: true, Value: "true" or "false" } flag:
                return new AutoinstallFlag(flag.Value == "true");
            case YamlText { Plain: true } text when !isSecret && long.TryParse(text.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
                && number.ToString(CultureInfo.InvariantCulture) == text.Value:
                return new AutoinstallNumber(number);
            default:
                var scalar = (YamlText)item;
                if (isSecret)
                {
                    secrets.Add(scalar);
                }

                return new AutoinstallText(scalar.Value, isSecret);
        }
    }
}
