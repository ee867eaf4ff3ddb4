using System.Globalization;
using Virtigo.Appliances;
using Virtigo.Environments.Steps;
using Virtigo.Machines;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>Reads the part of a file that describes an environment. What is wrong is added to the problems, each with its place.</summary>
internal sealed class EnvironmentReader
{
    private const int MaxMachines = 50;
    private const int MaxNetworks = 16;
    private const string DefaultNetwork = "lan";
    private readonly string _yaml;
    private readonly string _file;
    private readonly SpecProblems _problems;
    private readonly List<HypervisorDemand> _demands = [];

    private EnvironmentReader(string yaml, string file, SpecProblems problems) => (_yaml, _file, _problems) = (yaml, file, problems);

    /// <summary>What is to be done about a wrong file.</summary>
    public const string Hint = "Every key with its values: virtigo schema environment --markdown";

    /// <summary>Reads a file of at most <see cref="ApplianceSpec.MaxFileBytes"/>, and those it names.</summary>
    /// <exception cref="VirtigoException">Everything that is wrong with it, each with file, line and column.</exception>
    public static async Task<EnvironmentSpec> LoadAsync(string path, CancellationToken cancellationToken)
    {
        string yaml = await YamlTree.ReadFileAsync(path, ApplianceSpec.MaxFileBytes, cancellationToken);
        var problems = new SpecProblems(path);
        EnvironmentSpec? spec = await ReadAsync(YamlTree.Read(yaml, problems), yaml, path, problems, cancellationToken);
        problems.ThrowIfAny(Hint);
        return spec!;
    }

    /// <summary>Reads the tree of a file.</summary>
    /// <returns>The environment; null, or of no use, when problems were added.</returns>
    public static async Task<EnvironmentSpec?> ReadAsync(YamlItem? root, string yaml, string file, SpecProblems problems, CancellationToken cancellationToken)
    {
        if (root is YamlMap map)
        {
            return await new EnvironmentReader(yaml, file, problems).ReadAsync(map, cancellationToken);
        }

        if (!problems.Any)
        {
            problems.Add(root?.Line ?? 1, root?.Column ?? 1, $"expected an environment, as in: {EnvironmentKeys.All[0].Example}");
        }

        return null;
    }

    private async Task<EnvironmentSpec?> ReadAsync(YamlMap map, CancellationToken cancellationToken)
    {
        var values = new SettingValues(_file, OriginKind.Spec);
        SpecReader.BindMap(
            map with { Entries = [.. map.Entries.Where(entry => !EnvironmentKeys.OfTests.Contains(entry.Key.Value))] },
            EnvironmentKeys.All, "an environment", values, _problems);
        IReadOnlyList<NetworkSpec> networks = Networks(values.Place("networks"));
        List<MachineSpec> machines = await MachinesAsync(values.Place("machines"), map, networks, cancellationToken);
        string[] names = [.. machines.Select(machine => machine.Name)];
        YamlItem? ready = values.Place("ready");
        if (values.Place("forward") is { } forward)
        {
            _demands.Add(HypervisorDemand.Of(values.At(forward), "forward", "streams"));
        }

        return new EnvironmentSpec
        {
            Name = Path.GetFileNameWithoutExtension(_file),
            File = _file,
            Machines = machines,
            Networks = networks,
            Ready = ready is null ? [] : StepReader.Read(ready, "ready", names, _problems),
            ReadyText = ready is null ? "" : TextOf(ready, map),
            Hypervisor = values.Get<string>("hypervisor"),
            Demands = _demands,
            Egress = Egress(values, names),
            Forward = Forwards(values, names),
            Seed = (ulong)(values.Get<int>("seed")?.Value ?? 1),
        };
    }

    private List<NetworkSpec> Networks(YamlItem? item)
    {
        if (item is null)
        {
            return [new NetworkSpec(DefaultNetwork)];
        }

        if (item is not YamlMap { Entries.Count: >= 1 and <= MaxNetworks } map)
        {
            _problems.Add(item, $"networks: expected 1 to {MaxNetworks} of them by name, as in: networks: {{front: {{}}, back: {{}}}}");
            return [];
        }

        var networks = new List<NetworkSpec>();
        foreach ((YamlText name, YamlItem value) in map.Entries)
        {
            var values = new SettingValues(_file, OriginKind.Spec);
            CheckName(name, "a network");
            if (value is YamlMap keys)
            {
                SpecReader.BindMap(keys, EnvironmentKeys.NetworkKeys, "a network", values, _problems);
            }
            else if (value is not YamlText { IsNull: true })
            {
                _problems.Add(value, $"network {SpecProblems.Quote(name.Value)}: expected {{}} or a mapping of {Keys(EnvironmentKeys.NetworkKeys)}");
            }

            int? mtu = values.Get<int>("mtu")?.Value;
            networks.Add(new NetworkSpec(name.Value)
            {
                Subnet = values.Get<string>("subnet") is { } subnet ? NetworkText.Subnet(subnet.Value) : null,
                Mtu = mtu ?? 1500,
            });
            if (mtu is { } asked)
            {
                _demands.Add(HypervisorDemand.Count(values.At("mtu"), string.Create(CultureInfo.InvariantCulture, $"network {name.Value}: packets of {asked} bytes"), asked, can => can.MaxMtu));
            }
        }

        return networks;
    }

    private async Task<List<MachineSpec>> MachinesAsync(
        YamlItem? item, YamlMap root, IReadOnlyList<NetworkSpec> networks, CancellationToken cancellationToken)
    {
        if (item is not YamlMap { Entries.Count: >= 1 and <= MaxMachines } map)
        {
            _problems.Add(item ?? root, $"machines: expected 1 to {MaxMachines} of them by name, as in: {EnvironmentKeys.All[0].Example}");
            return [];
        }

        var machines = new List<MachineSpec>();
        foreach ((YamlText name, YamlItem value) in map.Entries)
        {
            CheckName(name, "a machine");
            if (StepVerbs.Reserved(name.Value) is { } reserved)
            {
                _problems.Add(name, $"machines: {SpecProblems.Quote(name.Value)} {reserved}");
            }

            if (await MachineAsync(name, value, networks, cancellationToken) is { } machine)
            {
                machines.Add(machine);
            }
        }

        return machines;
    }

    private async Task<MachineSpec?> MachineAsync(YamlText name, YamlItem value, IReadOnlyList<NetworkSpec> networks, CancellationToken cancellationToken)
    {
        switch (value)
        {
            case YamlText { IsNull: true } empty:
                Demand(name, null, 1);
                return new MachineSpec(name.Value, Inline(new YamlMap([], empty.Line, empty.Column)), Places(null, networks));
            case YamlText file:
                Demand(name, null, 1);
                return await ApplianceAsync(file, cancellationToken) is { } appliance ? new MachineSpec(name.Value, appliance, Places(null, networks)) : null;
            case YamlMap map:
                return await MachineAsync(name, map, networks, cancellationToken);
            default:
                _problems.Add(value, $"machine {SpecProblems.Quote(name.Value)}: expected the file of an appliance, or its keys, as in: {name.Value}: {{packages: [nginx]}}");
                return null;
        }
    }

    private async Task<MachineSpec?> MachineAsync(YamlText name, YamlMap map, IReadOnlyList<NetworkSpec> networks, CancellationToken cancellationToken)
    {
        var values = new SettingValues(_file, OriginKind.Spec);
        bool IsOwn((YamlText Key, YamlItem Value) entry) => EnvironmentKeys.MachineKeys.Any(key => key.Key == entry.Key.Value);
        YamlMap own = map with { Entries = [.. map.Entries.Where(IsOwn)] };
        YamlMap rest = map with { Entries = [.. map.Entries.Where(entry => !IsOwn(entry))] };
        SpecReader.BindMap(own, EnvironmentKeys.MachineKeys, "a machine", values, _problems);
        ApplianceSpec? appliance = values.Place("appliance") is not YamlText file ? Inline(rest)
            : rest.Entries is [] ? await ApplianceAsync(file, cancellationToken)
            : Both(name, file, rest);
        if (appliance is null)
        {
            return null;
        }

        List<(string, Ipv4Address?)> places = Places(values, networks);
        Demand(name, values, places.Count);
        return new MachineSpec(name.Value, appliance, places)
        {
            MemoryMiB = SpecReader.MemoryMiB(values)?.Value,
            DiskBytes = values.Get<long>("disk-size"),
            Cpus = values.Get<int>("cpus")?.Value,
            Control = values.Get<string>("control")?.Value == EnvironmentSpec.SerialControl ? MachineControl.SerialConsole : MachineControl.Agent,
        };
    }

    /// <summary>What a machine asks of the hypervisor.</summary>
    private void Demand(YamlText name, SettingValues? values, int networks)
    {
        var written = new SettingValues(_file, OriginKind.Spec);
        string machine = $"machine {name.Value}: ";
        bool serial = values?.Get<string>("control")?.Value == EnvironmentSpec.SerialControl;
        _demands.Add(serial
            ? HypervisorDemand.Of(values!.At("control"), machine + "control: serial", "credentials")
            : HypervisorDemand.Of(written.At(name), machine + "its agent", "agent"));
        _demands.Add(HypervisorDemand.Of(written.At(name), machine + "its network", "networks"));
        _demands.Add(HypervisorDemand.Count(
            written.At((YamlItem?)values?.Place("networks") ?? name), string.Create(CultureInfo.InvariantCulture, $"{machine}{networks} networks"), networks, can => can.MaxNics));
        if (values?.Get<int>("cpus")?.Value is { } cpus)
        {
            _demands.Add(HypervisorDemand.Cpus(values.At("cpus"), machine, cpus));
        }
    }

    private ApplianceSpec? Both(YamlText name, YamlText file, YamlMap rest)
    {
        _problems.Add(rest.Entries[0].Key,
            $"machine {SpecProblems.Quote(name.Value)}: {SpecProblems.Quote(rest.Entries[0].Key.Value)} belongs into {SpecProblems.Quote(file.Value)}; "
            + $"beside appliance only {Keys(EnvironmentKeys.MachineKeys)} are said here");
        return null;
    }

    /// <summary>An appliance of which the file holds the keys. Its name follows from them, so that machines alike share one image.</summary>
    private ApplianceSpec Inline(YamlMap map) => SpecReader.FromMap(map, EnvironmentKeys.ApplianceKeys,
        packages => new Setting<string>(
            packages.Order(StringComparer.Ordinal).Select(package => package.Replace('.', '-').Replace('+', 'x')).FirstOrDefault(name => ValueChecks.HostLabel(name) is null) ?? "debian",
            new Origin(OriginKind.Derived, "its first package")),
        _problems);

    private async Task<ApplianceSpec?> ApplianceAsync(YamlText file, CancellationToken cancellationToken)
    {
        try
        {
            string path = Path.Combine(Path.GetDirectoryName(_file) ?? "", file.Value);
            return await ApplianceSpec.OpenAsync(File.Exists(path) || file.Value.Contains('.') ? path : file.Value, new SpecOptions(), cancellationToken);
        }
        catch (VirtigoException wrong) when (wrong.Kind == FailureKind.Usage)
        {
            _problems.Add(file, wrong.Message);
            return null;
        }
    }

    private List<(string, Ipv4Address?)> Places(SettingValues? values, IReadOnlyList<NetworkSpec> networks)
    {
        if (values?.Get<IReadOnlyList<(YamlText, YamlText?)>>("networks") is not { } written)
        {
            return [.. networks.Take(1).Select(network => (network.Name, (Ipv4Address?)null))];
        }

        var places = new List<(string, Ipv4Address?)>();
        foreach ((YamlText name, YamlText? text) in written.Value)
        {
            Ipv4Address? address = text is null ? null : NetworkText.Address(text.Value);
            if (networks.All(network => network.Name != name.Value))
            {
                string near = SpecProblems.Suggest(name.Value, networks.Select(network => network.Name));
                _problems.Add(name, $"there is no network {SpecProblems.Quote(name.Value)}{(near.Length > 0 ? near : "; expected one of " + string.Join(", ", networks.Select(network => network.Name)))}");
            }
            else if (text is not null && address is null)
            {
                _problems.Add(text, $"{SpecProblems.Quote(text.Value)} is no address: expected something like 10.1.0.5, or auto");
            }
            else if (places.Any(place => place.Item1 == name.Value))
            {
                _problems.Add(name, $"the network {SpecProblems.Quote(name.Value)} is given twice; keep one");
            }
            else
            {
                places.Add((name.Value, address));
            }
        }

        return places;
    }

    private List<PortForward> Forwards(SettingValues values, string[] machines)
    {
        List<PortForward> forwards = [.. (values.Get<IReadOnlyList<string>>("forward")?.Value ?? []).Select(text => NetworkText.Forward(text)!)];
        foreach (PortForward unknown in forwards.Where(forward => !machines.Contains(forward.Machine)))
        {
            _problems.Add(values.Place("forward")!, $"forward: there is no machine {SpecProblems.Quote(unknown.Machine)}{SpecProblems.Suggest(unknown.Machine, machines)}");
        }

        return forwards;
    }

    private EgressSpec Egress(SettingValues values, string[] machines)
    {
        EgressSpec egress = values.Get<EgressSpec>("egress")?.Value ?? EgressSpec.None;
        foreach (EgressHost host in egress.Hosts)
        {
            if (machines.FirstOrDefault(name => host.Pattern == name || host.Pattern == $"{name}.{SpecKeys.DefaultDomain}") is { } machine)
            {
                YamlItem written = values.Place("egress")!;
                _problems.Add((written as YamlList)?.Items.FirstOrDefault(item => item is YamlText text && EgressHost.Read(text.Value, out _) == host) ?? written,
                    $"egress: {SpecProblems.Quote(host.Pattern)} is the machine {machine} of this environment, which is reached without egress; leave it out");
            }
        }

        return egress;
    }

    private void CheckName(YamlText name, string what)
    {
        if (ValueChecks.HostLabel(name.Value) is not null)
        {
            _problems.Add(name, string.Create(CultureInfo.InvariantCulture,
                $"{SpecProblems.Quote(name.Value)} is no name of {what}: expected 1 to 63 lower-case letters, digits and inner hyphens"));
        }
    }

    /// <summary>The lines of an item, up to the next key of the file.</summary>
    private string TextOf(YamlItem item, YamlMap root)
    {
        string[] lines = _yaml.Split('\n');
        int end = root.Entries.Select(entry => entry.Key.Line).Where(line => line > item.Line).DefaultIfEmpty(lines.Length + 1).Min();
        return string.Join('\n', lines[(item.Line - 1)..(end - 1)]);
    }

    private static string Keys(IReadOnlyList<SpecKey> keys) => string.Join(", ", keys.Select(key => key.Key));
}
