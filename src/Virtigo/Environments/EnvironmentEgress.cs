using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>
/// The way out of an environment: the archives that its machines were installed from, through the same verifying proxy as during the
/// install. They are opened when a machine first asks.
/// </summary>
internal sealed class EnvironmentEgress : IDisposable
{
    /// <summary>The word that stands for the archives of the machines.</summary>
    public const string Archives = "archives";

    private readonly EnvironmentHost _host;
    private readonly AppliancePlan[] _plans;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _ending = new();
    private Task<ArchiveProxy>? _proxy;
    private ArchiveClient? _client;

    private EnvironmentEgress(EnvironmentHost host, AppliancePlan[] plans) => (_host, _plans) = (host, plans);

    /// <summary>The way out that a plan asks for, or null for none.</summary>
    public static EnvironmentEgress? For(EnvironmentHost host, EnvironmentPlan plan) => !plan.Spec.Egress ? null
        : new EnvironmentEgress(host, [.. plan.Machines.Select(machine => machine.Appliance)
            .DistinctBy(appliance => (appliance.Mirror.Value, appliance.SecurityMirror.Value, appliance.Release.Value))]);

    /// <summary>The way out as a network's services offer it.</summary>
    public SwitchEgress ForSwitch() => new(
        [.. _plans.SelectMany(Mirrors).Select(mirror => mirror.Host).Distinct(StringComparer.OrdinalIgnoreCase)], ServeAsync)
    {
        Ports = _plans.SelectMany(Mirrors).Select(mirror => mirror.IsDefaultPort ? 80 : mirror.Port).ToHashSet(),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _ending.Cancel();
        _client?.Dispose();
        _ending.Dispose();
    }

    private static Uri[] Mirrors(AppliancePlan plan) => [plan.Mirror.Value, plan.SecurityMirror.Value];

    private async Task ServeAsync(GuestConnection connection, CancellationToken cancellationToken)
    {
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
