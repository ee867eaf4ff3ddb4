using System.Globalization;
using System.Net;
using System.Text;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>Reads a machine's network from the settings of ifupdown. Other programs' settings are only told of.</summary>
internal static class InferredNetwork
{
    private const int MostBytes = 256 * 1024;

    /// <summary>The lines of a spec; none when the machine has what every install has.</summary>
    public static IReadOnlyList<string> Read(IFileTree files, List<string> notes)
    {
        string Text(string path) => files.Read(path, MostBytes) is { } bytes ? Encoding.UTF8.GetString(bytes) : "";
        string interfaces = Text("/etc/network/interfaces")
            + string.Concat(files.List("/etc/network/interfaces.d").Where(name => name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')).Select(name => "\n" + Text($"/etc/network/interfaces.d/{name}")));
        if (files.List("/etc/systemd/network").Any(name => name.EndsWith(".network", StringComparison.Ordinal)) || files.List("/etc/netplan").Count > 0)
        {
            notes.Add("network: it is set up by systemd-networkd or netplan, which is not read here.");
        }

        List<Card> cards = Cards(interfaces);
        var said = new List<string>();
        bool hasDns = false;
        if (cards.Any(card => card.Addresses.Count > 0))
        {
            said.Add("  interfaces:");
            said.AddRange(cards.Take(SpecKeys.MaxNics).Select(card => "    - " + SpecText.Map(
                ("mac", card.Mac is { } mac ? SpecText.Scalar(mac) : null),
                ("dhcp", card.Dhcp ? "true" : null),
                ("addresses", card.Addresses.Count > 0 ? SpecText.Flow(card.Addresses) : null),
                ("gateway", card.Gateways.Count > 0 ? SpecText.Flow(card.Gateways) : null),
                ("mtu", card.Mtu is { } mtu ? SpecText.Number(mtu) : null))));
            hasDns = cards.All(card => !card.Dhcp);
        }
        else if (cards.Any(card => card.Dhcp && card.Name == "dhcp"))
        {
            said.Add("  dhcp: true");
        }

        string[][] resolver = [.. Text("/etc/resolv.conf").Split('\n').Select(line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)).Where(words => words.Length > 1)];
        if (hasDns)
        {
            Add("dns", resolver.Where(words => words[0] == "nameserver").Select(words => words[1]).Where(text => ValueChecks.Address(text) is null).Distinct().Take(3));
            Add("search", resolver.Where(words => words[0] == "search").SelectMany(words => words[1..]).Where(text => ValueChecks.Domain(text) is null).Distinct().Take(6));
        }

        string? proxy = files.List("/etc/apt/apt.conf.d").Select(name => $"/etc/apt/apt.conf.d/{name}").Append("/etc/apt/apt.conf").SelectMany(path => Text(path).Split('\n'))
            .Select(line => line.Trim().Split(' ', 2)).Where(words => words.Length == 2 && words[0] == "Acquire::http::Proxy").Select(words => words[1].Trim(' ', ';', '"')).FirstOrDefault();
        if (proxy is not null && ValueChecks.Proxy(proxy) is null)
        {
            said.Add("  proxy: " + SpecText.Scalar(proxy));
        }
        else if (proxy is not null)
        {
            notes.Add("network: apt has a proxy that cannot be said in a spec: it has a password, or is none.");
        }

        string[] names = [.. Text("/etc/hosts").Split('\n').Select(line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
            .FirstOrDefault(words => words.Length > 1 && words[0] == "127.0.1.1") ?? []];
        if (names.Length > 1 && names[1].Split('.', 2) is [_, var domain] && domain != SpecKeys.DefaultDomain && ValueChecks.Domain(domain) is null)
        {
            said.Add("  domain: " + SpecText.Scalar(domain));
        }

        return said.Count == 0 ? [] : ["network:", .. said];

        void Add(string key, IEnumerable<string> values)
        {
            string[] all = [.. values];
            if (all.Length > 0)
            {
                said.Add($"  {key}: {SpecText.Flow(all)}");
            }
        }
    }

    private static List<Card> Cards(string text)
    {
        var cards = new List<Card>();
        var macs = new Dictionary<string, string>(StringComparer.Ordinal);
        Card? now = null;
        bool isStatic = false;
        string? address = null, mask = null;
        void Close()
        {
            if (now is not null && isStatic && address is not null)
            {
                string whole = address.Contains('/', StringComparison.Ordinal) || mask is null ? address : $"{address}/{Bits(mask)}";
                if (ValueChecks.AddressWithPrefix(whole) is null && cards.SelectMany(card => card.Addresses).All(other => other.Split('/')[0] != whole.Split('/')[0]) && now.Addresses.Count < 16)
                {
                    now.Addresses.Add(whole);
                }
            }

            (address, mask) = (null, null);
        }

        foreach (string[] words in text.Split('\n').Select(line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)).Where(words => words.Length > 1))
        {
            switch (words[0])
            {
                case "auto" or "allow-hotplug":
                    foreach (string[] pair in words[1..].Select(word => word.Split('=')).Where(pair => pair.Length == 2 && pair[0].StartsWith("mac/", StringComparison.Ordinal)))
                    {
                        macs[pair[1]] = pair[0][4..];
                    }

                    break;
                case "iface":
                    Close();
                    now = words[1] == "lo" ? null : cards.Find(card => card.Name == words[1]) ?? Make(words[1]);
                    isStatic = words.Length > 3 && words[3] == "static";
                    if (now is not null && words.Length > 3 && words[2] == "inet" && words[3] == "dhcp")
                    {
                        now.Dhcp = true;
                    }

                    break;
                case "address":
                    address = words[1];
                    break;
                case "netmask":
                    mask = words[1];
                    break;
                case "gateway" when now is not null && ValueChecks.Address(words[1]) is null:
                    now.Gateways.Add(words[1]);
                    break;
                case "mtu" when now is not null:
                    now.SetMtu(words[1]);
                    break;
                case "pre-up" when now is not null && words is [.., "mtu", var size]:
                    now.SetMtu(size);
                    break;
            }
        }

        Close();
        Consistent(cards);
        return cards;

        Card Make(string name)
        {
            var card = new Card(name) { Mac = macs.GetValueOrDefault(name) is { } mac && ValueChecks.Mac(mac) is null && cards.All(other => other.Mac != mac) ? mac : null };
            cards.Add(card);
            return card;
        }
    }

    /// <summary>Leaves out gateways that a spec would refuse.</summary>
    private static void Consistent(List<Card> cards)
    {
        var families = new HashSet<System.Net.Sockets.AddressFamily>();
        foreach (Card card in cards)
        {
            card.Gateways.RemoveAll(text =>
            {
                IPAddress gateway = ValueChecks.ReadAddress(text)!;
                TargetAddress[] own = [.. card.Addresses.Select(address => ValueChecks.ReadTargetAddress(address)!)];
                bool good = own.Any(address => address.Reaches(gateway) || (gateway.IsIPv6LinkLocal && !address.IsV4)) && own.All(address => !address.Address.Equals(gateway))
                    && !(card.Dhcp && gateway.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork);
                return !good || !families.Add(gateway.AddressFamily);
            });
        }
    }

    private static string Bits(string mask) => IPAddress.TryParse(mask, out IPAddress? address) && mask.Contains('.', StringComparison.Ordinal)
        ? address.GetAddressBytes().Sum(part => System.Numerics.BitOperations.PopCount(part)).ToString(CultureInfo.InvariantCulture)
        : mask;

    private sealed class Card(string name)
    {
        public string Name => name;

        public string? Mac { get; init; }

        public bool Dhcp { get; set; }

        public List<string> Addresses { get; } = [];

        public List<string> Gateways { get; } = [];

        public int? Mtu { get; private set; }

        public void SetMtu(string text) => Mtu = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int mtu) && mtu is >= 1280 and <= 65520 ? mtu : null;
    }
}
