using Virtigo.Archives;
using Virtigo.Host;

namespace Virtigo.Installers.Ubuntu;

/// <summary>
/// What an autoinstall answer may say: the keys that subiquity documents, the kinds of their values, and which of them an install that
/// nobody watches, on a network with nothing but archives, cannot have. The installer itself only warns of a key that it does not know.
/// </summary>
internal static class AutoinstallSchema
{
    private const string NoNetwork = "would be fetched from the internet, and the installer reaches nothing but its archives";

    private static readonly Rule s_text = new(Kinds.Text);
    private static readonly Rule s_flag = new(Kinds.Flag);
    private static readonly Rule s_any = new(Kinds.Any);
    private static readonly Rule s_map = new(Kinds.Map) { Open = true };
    private static readonly Rule s_texts = new(Kinds.List) { Item = s_text };
    private static readonly Rule s_commands = new(Kinds.List) { Item = new(Kinds.Text | Kinds.List) { Item = s_text } };

    private static readonly Rule s_all = Map(["version"],
        ("version", new(Kinds.Number) { Choices = ["1"] }),
        ("interactive-sections", s_any with { Refused = "would make the installer ask, and nobody is there to answer" }),
        ("early-commands", s_commands),
        ("locale", s_text),
        ("refresh-installer", s_any with { Refused = NoNetwork }),
        ("keyboard", Map(["layout"], ("layout", s_text), ("variant", s_text), ("toggle", new(Kinds.Text | Kinds.Nothing)))),
        ("source", Map([], ("search_drivers", s_flag), ("id", s_text))),
        ("network", s_map),
        ("proxy", s_any with { Refused = "would stay in the installed system, and the installer reaches its archives without one" }),
        ("apt", Map([],
            ("preserve_sources_list", s_flag),
            ("mirror-selection", Map([], ("primary", new(Kinds.List)))),
            ("primary", new(Kinds.List)),
            ("security", new(Kinds.List)),
            ("fallback", OneOf("abort", "offline-install", "continue-anyway")),
            ("geoip", s_flag with { Choices = ["false"] }),
            ("sources", s_any with { Refused = "names archives that the installer does not reach" }),
            ("disable_components", new(Kinds.List) { Item = OneOf("universe", "multiverse", "restricted", "contrib", "non-free") }),
            ("disable_suites", s_texts),
            ("preferences", new(Kinds.List) { Item = Map(["package", "pin", "pin-priority"], ("package", s_text), ("pin", s_text), ("pin-priority", new(Kinds.Number))) }),
            ("conf", s_text),
            ("debconf_selections", s_map)) with { Open = true }),
        ("storage", s_map),
        ("identity", Map(["username", "hostname", "password"],
            ("realname", s_text), ("username", s_text), ("hostname", s_text), ("password", s_text), ("groups", new(Kinds.List | Kinds.Map) { Item = s_text, Open = true }))),
        ("active-directory", s_any with { Refused = "asks for a password while it installs" }),
        ("ubuntu-pro", s_any with { Refused = NoNetwork }),
        ("ssh", Map([], ("install-server", s_flag), ("authorized-keys", s_texts), ("allow-pw", s_flag))),
        ("codecs", Map([], ("install", s_flag))),
        ("drivers", Map([], ("install", s_flag))),
        ("oem", Map([], ("install", new(Kinds.Flag | Kinds.Text) { Choices = ["true", "false", "auto"] }))),
        ("snaps", s_any with { Refused = NoNetwork }),
        ("debconf-selections", s_text),
        ("packages", s_texts),
        ("kernel", Map([], ("package", s_text), ("flavor", s_text))),
        ("kernel-crash-dumps", Map([], ("enabled", new(Kinds.Flag | Kinds.Nothing)))),
        ("timezone", s_text),
        ("updates", OneOf("security", "all")),
        ("shutdown", OneOf("reboot", "poweroff")),
        ("late-commands", s_commands),
        ("error-commands", s_commands),
        ("reporting", s_map),
        ("user-data", s_map));

    [Flags]
    private enum Kinds
    {
        Text = 1,
        Flag = 2,
        Number = 4,
        Nothing = 8,
        List = 16,
        Map = 32,
        Any = 63,
    }

    /// <summary>The keys that may stand at the top.</summary>
    public static IEnumerable<string> Keys => s_all.Keys.Select(key => key.Key);

    /// <summary>Finds everything that is wrong.</summary>
    /// <param name="answers">What stands below <c>autoinstall</c>.</param>
    /// <param name="whole">Whether it is all that the installer is told, and not only a person's part of it.</param>
    public static IReadOnlyList<AutoinstallFinding> Check(AutoinstallMap answers, bool whole)
    {
        var findings = new List<AutoinstallFinding>();
        Check(answers, whole ? s_all : s_all with { Required = [] }, "", "", findings);
        if (whole && answers.Find("identity") is null && answers.Find("user-data") is null)
        {
            findings.Add(new AutoinstallFinding("", "autoinstall: neither identity nor user-data is there, and the installer asks for one of them"));
        }

        return findings;
    }

    private static void Check(AutoinstallNode value, Rule rule, string path, string place, List<AutoinstallFinding> findings)
    {
        string at = path.Length == 0 ? "autoinstall" : $"autoinstall: {path}";
        if (rule.Refused is { } why)
        {
            findings.Add(new AutoinstallFinding(place, $"{at} {why}"));
        }
        else if ((rule.Kinds & KindOf(value)) == 0)
        {
            findings.Add(new AutoinstallFinding(place, $"{at} is {value.Kind}; expected {Name(rule.Kinds)}"));
        }
        else if (rule.Choices.Count > 0 && Said(value) is var said && !rule.Choices.Contains(said))
        {
            findings.Add(new AutoinstallFinding(place, $"{at} is {Text.Shorten(said)}; expected {string.Join(" or ", rule.Choices)}"));
        }
        else if (value is AutoinstallList list && rule.Item is { } item)
        {
            for (int index = 0; index < list.Items.Count; index++)
            {
                Check(list.Items[index], item, $"{path}[{index}]", place, findings);
            }
        }
        else if (value is AutoinstallMap map)
        {
            CheckMap(map, rule, path, place, findings);
        }
    }

    private static void CheckMap(AutoinstallMap map, Rule rule, string path, string place, List<AutoinstallFinding> findings)
    {
        string prefix = path.Length == 0 ? "" : path + ".";
        foreach (AutoinstallEntry entry in map.Entries)
        {
            string where = entry.Place.Length > 0 ? entry.Place : place;
            if (rule.Keys.FirstOrDefault(known => known.Key == entry.Key) is { Key: not null } found)
            {
                Check(entry.Value, found.Rule, prefix + entry.Key, where, findings);
            }
            else if (!rule.Open)
            {
                string near = NearMatches.Of(entry.Key, rule.Keys.Select(known => known.Key), most: 1) is [var one] ? $"; did you mean {one}?" : "";
                findings.Add(new AutoinstallFinding(where, $"autoinstall: {prefix}{Text.Shorten(entry.Key)} is no key of the installer's{near}"));
            }
        }

        foreach (string missing in rule.Required.Where(key => map.Find(key) is null))
        {
            findings.Add(new AutoinstallFinding(place, $"autoinstall: {prefix}{missing} is missing"));
        }
    }

    private static Kinds KindOf(AutoinstallNode value) => value switch
    {
        AutoinstallMap => Kinds.Map,
        AutoinstallList => Kinds.List,
        AutoinstallFlag => Kinds.Flag,
        AutoinstallNumber => Kinds.Number,
        AutoinstallNothing => Kinds.Nothing,
        _ => Kinds.Text,
    };

    private static string Name(Kinds kinds)
    {
        (Kinds Kind, string Name)[] all =
        [
            (Kinds.Text, "a text"), (Kinds.Flag, "true or false"), (Kinds.Number, "a number"), (Kinds.Nothing, "nothing"), (Kinds.List, "a list"), (Kinds.Map, "a mapping"),
        ];
        return string.Join(" or ", all.Where(one => kinds.HasFlag(one.Kind)).Select(one => one.Name));
    }

    private static string Said(AutoinstallNode value) => value switch
    {
        AutoinstallText text => text.Value,
        AutoinstallFlag flag => flag.Value ? "true" : "false",
        AutoinstallNumber number => number.Value.ToString(System.Globalization.CultureInfo.InvariantCulture),
        _ => value.Kind,
    };

    private static Rule Map(IReadOnlyList<string> required, params IReadOnlyList<(string Key, Rule Rule)> keys) => new(Kinds.Map) { Required = required, Keys = keys };

    private static Rule OneOf(params IReadOnlyList<string> choices) => new(Kinds.Text) { Choices = choices };

    private sealed record Rule(Kinds Kinds)
    {
        public IReadOnlyList<string> Required { get; init; } = [];

        public IReadOnlyList<(string Key, Rule Rule)> Keys { get; init; } = [];

        /// <summary>Whether other keys may stand there as well.</summary>
        public bool Open { get; init; }

        public Rule? Item { get; init; }

        public IReadOnlyList<string> Choices { get; init; } = [];

        /// <summary>Why it cannot be had, as the end of a sentence; null: it can.</summary>
        public string? Refused { get; init; }
    }
}
