using System.Collections.Frozen;
using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>
/// The way out of an environment: the archives that its machines were installed from, through the same verifying proxy as during the
/// install (they are opened when a machine first asks), and the hosts that its file lists.
/// </summary>
internal sealed class EnvironmentEgress : IDisposable
{
    /// <summary>The most connections of one network at a time.</summary>
    private const int MostConnections = 128;

    private readonly EnvironmentHost _host;
    private readonly AppliancePlan[] _plans;
    private readonly OutwardRelay _relay;
    private readonly IReadOnlyList<OutwardPlace> _places;
    private readonly RefusalLog _refusals = new(null);
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _ending = new();
    private Task<ArchiveProxy>? _proxy;
    private ArchiveClient? _client;

    private EnvironmentEgress(EnvironmentHost host, AppliancePlan[] plans, IReadOnlyList<OutwardPlace> places)
    {
        (_host, _plans, _places) = (host, plans, places);
        _relay = new OutwardRelay(places, new OutwardDialer(host.Outward, host.Clock), _refusals, host.Clock) { IsServedElsewhere = IsArchive };
    }

    /// <summary>What was asked of listed hosts and refused, each with its reason.</summary>
    public IReadOnlyList<GatewayRefusal> Refusals => _refusals.ToList();

    /// <summary>The way out that a plan asks for, or null for none.</summary>
    public static EnvironmentEgress? For(EnvironmentHost host, EnvironmentPlan plan) => plan.Spec.Egress.IsNone ? null
        : new EnvironmentEgress(host, plan.Spec.Egress.Archives
            ? [.. plan.Machines.Select(machine => machine.Appliance)
                .DistinctBy(appliance => (appliance.Mirror.Value, appliance.SecurityMirror.Value, appliance.Release.Value))]
            : [], plan.Places);

    /// <summary>The names of the archives that a plan opens.</summary>
    public static IReadOnlyList<string> ArchivesOf(EnvironmentPlan plan) => !plan.Spec.Egress.Archives ? []
        : [.. plan.Machines.SelectMany(machine => Mirrors(machine.Appliance)).Select(mirror => mirror.Host).Distinct(StringComparer.OrdinalIgnoreCase)];

    /// <summary>The way out as a network's services offer it.</summary>
    public SwitchEgress ForSwitch() => new(
        [.. _plans.SelectMany(Mirrors).Select(mirror => mirror.Host).Distinct(StringComparer.OrdinalIgnoreCase)], ServeAsync)
    {
        Ports = _plans.SelectMany(Mirrors).Select(PortOf).ToFrozenSet(),

        // An archive that is listed as a host too has one address for both.
        Places = [.. _places.Select(place => place with { Ports = place.Ports.Concat(ArchivePorts(place.Pattern)).ToFrozenSet() })],
        MaxConnections = MostConnections,
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _ending.Cancel();
        _client?.Dispose();
        _ending.Dispose();
    }

    private static Uri[] Mirrors(AppliancePlan plan) => [plan.Mirror.Value, plan.SecurityMirror.Value];

    private static int PortOf(Uri mirror) => mirror.IsDefaultPort ? 80 : mirror.Port;

    private IEnumerable<int> ArchivePorts(string host) =>
        _plans.SelectMany(Mirrors).Where(mirror => mirror.Host.Equals(host, StringComparison.OrdinalIgnoreCase)).Select(PortOf);

    private bool IsArchive(string host, int port) => ArchivePorts(host).Contains(port);

    private async Task ServeAsync(GuestConnection connection, CancellationToken cancellationToken)
    {
        if (_relay.PlaceAt(connection.Address) is { } place && !IsArchive(place.Pattern, connection.Local.Port))
        {
            await _relay.ServeAsync(connection, cancellationToken);
            return;
        }

        Task<ArchiveProxy> proxy;
        lock (_gate)
        {
            // What failed may work the next time: an archive can come back.
            proxy = _proxy is null or { IsFaulted: true } or { IsCanceled: true } ? _proxy = OpenAsync(_ending.Token) : _proxy;
        }

        await (await proxy.WaitAsync(cancellationToken)).ServeAsync(connection.Stream, cancellationToken);
    }

    private async Task<ArchiveProxy> OpenAsync(CancellationToken cancellationToken)
    {
        var pool = new Pool(_host.Paths.Pool);
        ArchiveClient client = _client ??= new ArchiveClient(pool, _host.Archives);
        var routes = new List<ProxyRoute>();
        foreach (AppliancePlan plan in _plans)
        {
            routes.AddRange((await PlanArchives.OpenAsync(client, plan, cancellationToken)).Routes());
        }

        return new ArchiveProxy(routes, pool, new ArchiveProxyOptions { Architecture = _plans[0].Architecture.Value, Clock = _host.Clock });
    }
}
