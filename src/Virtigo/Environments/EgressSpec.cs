using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>What machines may reach outside of their environment.</summary>
/// <param name="Archives">Whether the archives they were installed from, through the verifying proxy.</param>
/// <param name="Hosts">Other hosts.</param>
internal sealed record EgressSpec(bool Archives, IReadOnlyList<EgressHost> Hosts)
{
    /// <summary>The word for nothing at all.</summary>
    public const string NoneWord = "none";

    /// <summary>The word that stands for the archives of the machines.</summary>
    public const string ArchivesWord = "archives";

    /// <summary>Nothing at all.</summary>
    public static EgressSpec None { get; } = new(false, []);

    /// <summary>Whether there is no way out.</summary>
    public bool IsNone => !Archives && Hosts.Count == 0;
}

/// <summary>A host that machines may reach.</summary>
/// <param name="Pattern">A name, <c>*.NAME</c> for all names below one, or an IPv4 address; in lower case.</param>
/// <param name="Port">The TCP port; null for 80 and 443.</param>
internal sealed record EgressHost(string Pattern, int? Port)
{
    /// <summary>The TCP ports.</summary>
    public IReadOnlyList<int> Ports => Port is { } port ? [port] : [80, 443];

    /// <summary>Reads what a person wrote.</summary>
    /// <param name="text">The text.</param>
    /// <param name="problem">What is wrong, as the rest of a sentence that starts with the text; null when nothing is.</param>
    public static EgressHost? Read(string text, out string? problem)
    {
        string pattern = text.ToLowerInvariant();
        int? port = null;
        problem = null;
        if (pattern.LastIndexOf(':') is >= 0 and int colon && !pattern.Contains("://", StringComparison.Ordinal) && pattern.Count(letter => letter == ':') == 1)
        {
            if (!int.TryParse(pattern.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number is < 1 or > 65535)
            {
                problem = "has no port behind the colon: expected 1 to 65535, as in example.org:8443";
                return null;
            }

            (pattern, port) = (pattern[..colon], number);
        }

        problem = WhatIsWrong(pattern, port);
        return problem is null ? new EgressHost(pattern, port) : null;
    }

    /// <inheritdoc/>
    public override string ToString() => Port is { } port ? string.Create(CultureInfo.InvariantCulture, $"{Pattern}:{port}") : Pattern;

    private static string? WhatIsWrong(string pattern, int? port)
    {
        const string expected = "expected none, archives, or a host such as example.org, example.org:8443 or \"*.example.org\"";
        if (pattern.Contains('/'))
        {
            string host = pattern[(pattern.IndexOf("//", StringComparison.Ordinal) is >= 0 and int scheme ? scheme + 2 : 0)..].Split('/')[0];
            return $"is no host: expected its name alone{(Read(host, out _) is { } near ? $"; did you mean '{near}'?" : ", as in example.org")}";
        }

        if (pattern.Count(letter => letter == ':') > 1)
        {
            return "is no host: expected a name or an IPv4 address; machines have no way to IPv6 addresses, but a name may have one";
        }

        if (IPAddress.TryParse(pattern, out IPAddress? address) && address.AddressFamily == AddressFamily.InterNetwork)
        {
            return address.ToString() != pattern ? $"is an address in an unusual form: did you mean '{address}'?"
                : OutwardPolicy.WhyNever(address) is { } never ? $"cannot be opened: it is {never}"
                : null;
        }

        bool isPattern = pattern.StartsWith(DnsResponder.AnyBelow, StringComparison.Ordinal);
        string name = isPattern ? pattern[DnsResponder.AnyBelow.Length..] : pattern;
        if (pattern is "*" or "*.")
        {
            return "would open everything: expected the hosts that are needed, as in \"*.example.org\"";
        }

        if (!HostName.IsValid(name))
        {
            string mended = name.Trim('.', '*', '-');
            return $"is no host: {expected}{(mended != name && HostName.IsValid(mended) && mended.Contains('.') ? $"; did you mean '{mended}'?" : "")}";
        }

        if (name == "localhost" || name.EndsWith(".localhost", StringComparison.Ordinal))
        {
            return "is the host itself, which no machine reaches: expected another host, or another machine's name without egress";
        }

        if (isPattern && !name.Contains('.'))
        {
            return $"would open a whole top-level domain: expected at least two parts behind the star, as in \"*.example.{name}\"";
        }

        // A misspelt word must never open a host of that name.
        return port is null && !name.Contains('.')
            ? $"is neither none nor archives, and a host without a dot in its name needs its port: {expected}{SpecProblems.Suggest(name, [EgressSpec.NoneWord, EgressSpec.ArchivesWord])}"
            : null;
    }
}

/// <summary>The value of <c>egress</c>: a word, a host, or a list of them.</summary>
internal sealed class EgressType : SettingType
{
    private const int MostHosts = 100;

    public override string Name => "none, archives, hosts, or a list of archives and hosts";

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        IReadOnlyList<YamlItem> items = item is YamlList list ? list.Items : [item];
        if (item is YamlMap || items.Count > MostHosts)
        {
            problems.Add(item, item is YamlMap ? $"{key.Path}: expected {Name}, as in: {key.Example}; found a mapping"
                : string.Create(CultureInfo.InvariantCulture, $"{key.Path}: {items.Count} hosts; expected at most {MostHosts}"));
            return null;
        }

        bool archives = false;
        bool isGood = true;
        var hosts = new List<EgressHost>();
        foreach (YamlItem one in items)
        {
            string? problem = null;
            if (one is not YamlText text)
            {
                problem = $"expected archives or a host here, as in: {key.Example}";
            }
            else if (text.Value == EgressSpec.ArchivesWord)
            {
                archives = true;
            }
            else if (text.Value == EgressSpec.NoneWord)
            {
                problem = items.Count > 1 ? "none stands alone; leave it or the others out" : null;
            }
            else if (EgressHost.Read(text.Value, out string? wrong) is { } host)
            {
                problem = hosts.Contains(host) ? $"{SpecProblems.Quote(text.Value)} is given twice; keep one" : null;
                hosts.Add(host);
            }
            else
            {
                problem = $"{SpecProblems.Quote(text.Value)} {wrong}";
            }

            if (problem is not null)
            {
                problems.Add(one, $"{key.Path}: {problem}");
                isGood = false;
            }
        }

        return isGood ? new EgressSpec(archives, hosts) : null;
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteStartArray("oneOf");
        schema.WriteStartObject();
        WriteText(schema);
        schema.WriteEndObject();
        schema.WriteStartObject();
        schema.WriteString("type", "array");
        schema.WriteNumber("maxItems", MostHosts);
        schema.WriteStartObject("items");
        WriteText(schema);
        schema.WriteEndObject();
        schema.WriteEndObject();
        schema.WriteEndArray();
    }

    private static void WriteText(Utf8JsonWriter schema)
    {
        schema.WriteString("type", "string");
        schema.WriteString("pattern", "^(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*(:[0-9]{1,5})?$");
    }
}
