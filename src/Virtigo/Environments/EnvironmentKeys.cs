using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Hypervisors;

namespace Virtigo.Environments;

/// <summary>Every key of an environment's file, in the order of the reference.</summary>
internal static class EnvironmentKeys
{
    private const int MaxNames = 100;


    /// <summary>The keys of one machine that say how it runs, not what it is.</summary>
    public static IReadOnlyList<SpecKey> MachineKeys { get; } =
    [
        new("appliance", new TextType("a file", value => value.Length > 0 && !value.Any(char.IsControl) ? null : "is no file name"),
            "The description of what the machine is a copy of, from this file's folder on; `debian` needs no file. `server: web.yml` is short for it.",
            "the keys of an appliance, right here", "a file", "appliance: web.yml"),
        new("memory", new SizeType(64 * SpecKeys.MiB, 1L << 40), "The memory of the machine.", "what its appliance has", "64MiB to 1TiB, whole MiB", "memory: 2GiB"),
        new("disk-size", new SizeType(2048 * SpecKeys.MiB, 16L << 40),
            "The size of the machine's disk, at least its image's. An appliance with `disk: {grow: true}` takes it.", "that of its image", "2GiB to 16TiB, whole MiB",
            "disk-size: 40GiB"),
        new("cpus", new CountType(1, 64), "The number of virtual CPUs.", "1", "1 to 64", "cpus: 2"),
        new("networks", new NetworksType(),
            "The networks the machine is on: names, or names with its address there (`auto` for an automatic one).", "the first network",
            "names, or a mapping", "networks: {front: 10.1.0.5, back: auto}"),
        new("control", TextType.OneOf("agent", EnvironmentSpec.SerialControl),
            "How commands get into the machine: through its agent, or through a root shell on its serial console, as for a system without agent.", "agent",
            "`agent` or `serial`", "control: serial"),
    ];

    /// <summary>The keys of an appliance that a machine can have beside those. Its host name is the machine's name.</summary>
    public static IReadOnlyList<SpecKey> ApplianceKeys { get; } =
        [.. SpecKeys.All.Where(key => key.Key != "hostname" && key.Key != SpecKeys.Matrix && MachineKeys.All(own => own.Key != key.Key))];

    /// <summary>The keys of one network.</summary>
    public static IReadOnlyList<SpecKey> NetworkKeys { get; } =
    [
        new("subnet", new TextType("a network", value => NetworkText.Subnet(value) is null ? "is no network: expected something like 10.1.0.0/24" : null),
            "Its IPv4 addresses; the first host is the network's own name server.", "10.90.0.0/24, 10.90.1.0/24 and so on", "a network with 8 to 29 fixed bits",
            "subnet: 10.1.0.0/24"),
        new("mtu", new CountType(1280, 65520), "The largest packet, in bytes.", "1500", "1280 to 65520", "mtu: 9000"),
    ];

    /// <summary>The keys of the file that describe the environment.</summary>
    public static IReadOnlyList<SpecKey> All { get; } =
    [
        new("machines", new WholeType("a mapping of machines", MachinesSchema), "The machines by name. The name is the host name, and resolves on its networks.",
            "required", "1 to 50 machines", "machines: {server: web.yml, client: {packages: [curl]}}"),
        new("networks", new WholeType("a mapping of networks", schema => MapSchema(schema, NetworkKeys)),
            "The networks by name, each cut off from all others and from the host.", "one, `lan`, with every machine", "1 to 16 networks",
            "networks: {front: {}, back: {mtu: 9000}}"),
        new("ready", new WholeType("a list of steps", schema => schema.WriteString("type", "array")),
            "Steps to do once, before the environment is kept as what every test begins with.", "none", "steps", "ready: [{server: systemctl is-active nginx}]"),
        new("hypervisor", TextType.OneOf([HypervisorChoice.Auto, .. HypervisorCatalog.Names]),
            "What runs the machines. `auto` takes one that saves and forks them as they run, which is QEMU; in another, each copy boots them anew and does the `ready` steps again.",
            HypervisorChoice.Auto, string.Join(", ", HypervisorCatalog.Names.Prepend(HypervisorChoice.Auto).Select(name => $"`{name}`")), "hypervisor: libvirt"),
        new("egress", new EgressType(),
            "What machines may reach outside, by TCP and through Virtigo only: nothing; the archives they were installed from; hosts, each with a port or "
            + "else with 80 and 443, `*.` before a name for all names below it.", "none",
            "`none`, `archives`, hosts, or a list", "egress: [archives, api.example.org, \"*.example.net\", git.example.org:22]"),
        new("forward", new ListType(new TextType("ports", value => NetworkText.Forward(value) is null ? "is no port of a machine: expected something like server:80" : null), MaxNames),
            "Ports of machines to publish on the host's loopback, on free ports.", "none", "`machine:port`", "forward: [server:80]"),
        new("seed", new CountType(0, int.MaxValue), "Where all chances of faults come from.", "1; in tests another for each run", "0 to 2147483647", "seed: 7"),
    ];

    /// <summary>The keys of the same file that describe tests; the room <c>Testing</c> reads them.</summary>
    public static IReadOnlyList<string> OfTests { get; } = ["tests", "limit", "total limit", "allow console"];

    private static void MachinesSchema(Utf8JsonWriter schema) => MapSchema(schema, [.. MachineKeys, .. ApplianceKeys], orText: true);

    private static void MapSchema(Utf8JsonWriter schema, IReadOnlyList<SpecKey> keys, bool orText = false)
    {
        schema.WriteString("type", "object");
        schema.WriteStartObject("additionalProperties");
        if (orText)
        {
            schema.WriteStartArray("oneOf");
            schema.WriteStartObject();
            schema.WriteString("type", "string");
            schema.WriteEndObject();
            schema.WriteStartObject();
            SpecReference.WriteProperties(schema, keys);
            schema.WriteEndObject();
            schema.WriteEndArray();
        }
        else
        {
            SpecReference.WriteProperties(schema, keys);
        }

        schema.WriteEndObject();
    }
}

/// <summary>The networks of a machine, each with the machine's address there, or null.</summary>
internal sealed class NetworksType : SettingType
{
    public override string Name => "networks";

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        switch (item)
        {
            case YamlText { IsNull: false } one:
                return (IReadOnlyList<(YamlText, YamlText?)>)[(one, null)];
            case YamlList { Items.Count: > 0 } list when list.Items.All(each => each is YamlText):
                return (IReadOnlyList<(YamlText, YamlText?)>)[.. list.Items.Cast<YamlText>().Select(each => (each, (YamlText?)null))];
            case YamlMap { Entries.Count: > 0 } map when map.Entries.All(entry => entry.Value is YamlText):
                return (IReadOnlyList<(YamlText, YamlText?)>)[.. map.Entries.Select(entry => (entry.Key, Address((YamlText)entry.Value)))];
            default:
                WrongType(item, key, problems);
                return null;
        }
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteStartArray("type");
        foreach (string type in (string[])["string", "array", "object"])
        {
            schema.WriteStringValue(type);
        }

        schema.WriteEndArray();
    }

    private static YamlText? Address(YamlText text) => text.IsNull || text.Value == "auto" ? null : text;
}
