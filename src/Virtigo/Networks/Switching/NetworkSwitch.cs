using System.Text;

namespace Virtigo.Networks;

/// <summary>
/// The networks of one environment: a learning Ethernet switch for each, in one thread. Guests connect to unix sockets with QEMU's
/// <c>-netdev stream,server=off,addr.type=unix,addr.path=PATH</c>; a port whose guest went away takes the next one. Frames of different networks
/// never meet, and nothing of the host is on any of them. Thread safe.
/// </summary>
internal sealed partial class NetworkSwitch : IAsyncDisposable
{
    private const int MaximumNetworks = 64;
    private const int MaximumPorts = 250;

    private readonly Lock _gate = new();
    private readonly Epoll _epoll = new();
    private readonly SwitchShared _shared;
    private readonly List<SwitchedNetwork> _networks = [];
    private readonly List<(SwitchedNetwork Network, SwitchedPort Port)> _ports = [];
    private readonly List<SwitchCapture> _captures = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isEnding;
    private bool _isWoken;

    private NetworkSwitch(SwitchOptions options)
    {
        Options = options;
        _shared = new SwitchShared(options);
    }

    /// <summary>The options.</summary>
    public SwitchOptions Options { get; }

    /// <summary>What guests wanted and did not get, of all networks.</summary>
    public IReadOnlyList<GatewayRefusal> Refusals => [.. _networks.SelectMany(network => network.Services.Refusals)];

    /// <summary>Listens on every port; guests can be started when this returns.</summary>
    /// <exception cref="VirtigoException">A socket cannot be made, an option makes no sense, or the state is of other networks.</exception>
    public static NetworkSwitch Start(SwitchOptions options)
    {
        Check(options);
        var made = new NetworkSwitch(options);
        try
        {
            made.Build();
        }
        catch
        {
            made.DisposeParts();
            throw;
        }

        var thread = new Thread(made.Run) { IsBackground = true, Name = "virtigo-switch" };
        thread.Start();
        return made;
    }

    /// <summary>What guests of one network wanted and did not get.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: there is no such network.</exception>
    public IReadOnlyList<GatewayRefusal> RefusalsOf(string network) => Find(network).Services.Refusals;

    /// <summary>What the services of a network have seen and done.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: there is no such network.</exception>
    public GatewayCounters ServicesOf(string network) => Find(network).Services.Counters;

    /// <summary>What happened at a port.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: there is no such port.</exception>
    public PortCounters CountersOf(string machine, string network)
    {
        lock (_gate)
        {
            return Find(machine, Find(network)).Tally.ToCounters();
        }
    }

    /// <summary>Whether a guest is connected to the port.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: there is no such port.</exception>
    public bool IsConnected(string machine, string network)
    {
        lock (_gate)
        {
            return Find(machine, Find(network)).Guest is not null;
        }
    }

    /// <summary>Replaces the fault of every link that is selected. Frames already held back keep their time, but a link that is down delivers none.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: there is no such machine or network.</exception>
    public void SetFault(LinkSelector selector, LinkFault fault)
    {
        Check(selector);
        Change(network => network.SetFault(selector, fault));
    }

    /// <summary>Ends the faults of every link that is selected; of all by default. A partition stays.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: there is no such machine or network.</exception>
    public void ClearFaults(LinkSelector? selector = null) => SetFault(selector ?? new LinkSelector(), new LinkFault());

    /// <summary>Cuts these links whatever their faults, and only these; an empty list heals. See <see cref="Partitions"/>.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Usage"/>: there is no such machine or network.</exception>
    public void SetPartition(IReadOnlyList<LinkSelector> cuts)
    {
        foreach (LinkSelector cut in cuts)
        {
            Check(cut);
        }

        Change(network => network.SetPartition(cuts));
    }

    /// <summary>Records frames until the result is disposed, or this switch is.</summary>
    /// <param name="point">What to record.</param>
    /// <param name="path">The file, replaced if it is there.</param>
    /// <param name="limit">The most bytes of the file.</param>
    /// <exception cref="VirtigoException">There is no such network or machine, or the file cannot be made.</exception>
    public SwitchCapture Capture(CapturePoint point, string path, long limit = 64 << 20)
    {
        SwitchedNetwork network = Find(point.Network);
        int machine = point.Machine is { } name ? Find(name, network).Index : -1;
        int peer = point.Peer is { } other ? Find(other, network).Index : -1;
        var capture = new SwitchCapture(path, machine, peer, limit, Options.Clock, ended =>
        {
            lock (_gate)
            {
                network.Remove(ended);
                _captures.Remove(ended);
            }
        }, Options.OnFailure);
        lock (_gate)
        {
            network.Add(capture);
            _captures.Add(capture);
        }

        return capture;
    }

    /// <summary>Disconnects every guest, ends connections and captures, and removes the sockets.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_isEnding)
            {
                return;
            }

            _isEnding = true;
            _networks.ForEach(network => network.Services.EndConnections(_ => true));
        }

        _epoll.Wake();
        await _ended.Task;
        foreach (SwitchedNetwork network in _networks)
        {
            await network.Services.DisposeAsync();
        }

        foreach (SwitchCapture capture in _captures.ToArray())
        {
            await capture.DisposeAsync();
        }

        DisposeParts();
    }

    private static void Check(SwitchOptions options)
    {
        CheckUnique(options.Networks.Select(network => network.Name), "network");
        foreach (string name in options.Networks.SelectMany(network => network.Ports.Select(port => port.Machine).Prepend(network.Name)))
        {
            Check(Encoding.UTF8.GetByteCount(name) <= SwitchStateFormat.MaximumName, $"The name '{name}' is longer than {SwitchStateFormat.MaximumName} bytes.");
        }

        Check(options.Networks.Count <= MaximumNetworks, $"An environment has at most {MaximumNetworks} networks.");
        foreach (SwitchNetwork network in options.Networks)
        {
            Check(network.Ports.Count <= MaximumPorts, $"The network '{network.Name}' has more than {MaximumPorts} machines.");
            Check(network.Mtu is >= GuestGatewayOptions.MinimumMtu and <= GuestGatewayOptions.MaximumMtu,
                $"The MTU {network.Mtu} of the network '{network.Name}' is outside {GuestGatewayOptions.MinimumMtu} to {GuestGatewayOptions.MaximumMtu} bytes.");
            CheckUnique(network.Ports.Select(port => port.Machine), $"machine of the network '{network.Name}'");
            CheckUnique(network.Ports.Select(port => port.Mac.ToString()), $"Ethernet address of the network '{network.Name}'");
            CheckUnique(network.Ports.Select(port => port.Address.ToString()), $"address of the network '{network.Name}'");
            CheckUnique(network.Egress?.Places.Select(place => place.Address.ToString()) ?? [], $"address outside of the network '{network.Name}'");
            foreach (OutwardPlace place in network.Egress?.Places ?? [])
            {
                Check(!network.Subnet.Contains(place.Address), $"The address {place.Address} of '{place.Pattern}' lies in the network '{network.Name}'.");
            }

            foreach (SwitchPort port in network.Ports)
            {
                Check(network.Subnet.Contains(port.Address) && port.Address != network.ServicesAddress
                    && port.Address != network.Subnet.Network && port.Address != network.Subnet.DirectedBroadcast,
                    $"The address {port.Address} of '{port.Machine}' must be one of {network.Subnet} and not {network.ServicesAddress}, which answers DHCP and DNS.");
            }
        }
    }

    private static void CheckUnique(IEnumerable<string> values, string what)
    {
        if (values.GroupBy(value => value, StringComparer.OrdinalIgnoreCase).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw new VirtigoException(FailureKind.Usage, $"The {what} '{twice.Key}' is there twice.");
        }
    }

    private static void Check(bool holds, string message)
    {
        if (!holds)
        {
            throw new VirtigoException(FailureKind.Usage, message);
        }
    }

    /// <summary>Refuses names that nothing has: a fault that hits nothing would look like a test that passes.</summary>
    private void Check(LinkSelector selector)
    {
        List<SwitchedNetwork> networks = selector.Network is { } name ? [Find(name)] : _networks;
        foreach (string machine in ((string?[])[selector.From, selector.To]).OfType<string>())
        {
            Check(networks.Exists(network => Array.Exists(network.Ports, port => port.Definition.Machine == machine)),
                selector.Network is null ? $"No network has a machine '{machine}'." : $"The network '{selector.Network}' has no machine '{machine}'.");
        }
    }

    private void Build()
    {
        if (Options.StartFrozen)
        {
            _shared.Freeze();
        }

        foreach (SwitchNetwork network in Options.Networks)
        {
            var ports = new SwitchedPort[network.Ports.Count];
            var services = new SwitchServices(network, Options, _gate, Wake);
            var made = new SwitchedNetwork(network, _networks.Count, ports, services, _shared);
            for (int i = 0; i < ports.Length; i++)
            {
                ports[i] = new SwitchedPort(network.Ports[i], i, (ulong)_ports.Count, _epoll, Options.QueueBytes);
                _ports.Add((made, ports[i]));
            }

            _networks.Add(made);
            if (Options.Restore is { } state)
            {
                made.Load(_networks.Count <= state.Networks.Count ? state.Networks[_networks.Count - 1] : throw new VirtigoException(FailureKind.Internal,
                    $"The saved state has {state.Networks.Count} networks; there are {Options.Networks.Count}.", "Remove the snapshot; it will be made again."));
            }
        }
    }

    private void DisposeParts()
    {
        _ports.ForEach(entry => entry.Port.Dispose());
        _epoll.Dispose();
    }

    private void Change(Action<SwitchedNetwork> change)
    {
        lock (_gate)
        {
            _networks.ForEach(change);
        }
    }

    private SwitchedNetwork Find(string network) => _networks.Find(candidate => candidate.Definition.Name == network)
        ?? throw new VirtigoException(FailureKind.Usage, $"There is no network '{network}'.",
            $"The networks are: {string.Join(", ", _networks.Select(candidate => candidate.Definition.Name))}.");

    private static SwitchedPort Find(string machine, SwitchedNetwork network) => Array.Find(network.Ports, port => port.Definition.Machine == machine)
        ?? throw new VirtigoException(FailureKind.Usage, $"The network '{network.Definition.Name}' has no machine '{machine}'.",
            $"Its machines are: {string.Join(", ", network.Ports.Select(port => port.Definition.Machine))}.");
}
