using Virtigo.Host;
using Virtigo.Hypervisors;

namespace Virtigo.Cli.Output;

/// <summary>What each hypervisor can do on this host, and why not what it cannot.</summary>
/// <param name="columns">The hypervisors, each with what was found of it.</param>
internal sealed class HypervisorMatrix(IReadOnlyList<(string Name, HypervisorCapabilities Capabilities, HypervisorPresence Presence)> columns)
{
    private const int Gap = 2;

    /// <summary>Looks at every hypervisor.</summary>
    public static async Task<HypervisorMatrix> LookAsync(HostPaths paths, CancellationToken cancellationToken)
    {
        var columns = new List<(string, HypervisorCapabilities, HypervisorPresence)>();
        foreach (IHypervisor hypervisor in HypervisorCatalog.All(paths))
        {
            columns.Add((hypervisor.Name, hypervisor.Capabilities, await hypervisor.LookAsync(cancellationToken)));
        }

        return new HypervisorMatrix(columns);
    }

    /// <summary>The table, and below it a line for each no.</summary>
    public IEnumerable<string> Text()
    {
        int first = HypervisorFeature.All.Max(feature => feature.Name.Length) + Gap;
        yield return Row("hypervisor", column => column.Name);
        yield return Row("usable here", column => Word(column.Presence.IsUsable));
        foreach (HypervisorFeature feature in HypervisorFeature.All)
        {
            yield return Row(feature.Name, column => Word(feature.IsIn(column.Capabilities)));
        }

        foreach ((string name, HypervisorCapabilities capabilities, HypervisorPresence presence) in columns)
        {
            if (!presence.IsUsable)
            {
                yield return $"{name} is not usable here: {presence.Reason}{(presence.Mend is { } mend ? $" -> {mend}" : "")}";
            }

            foreach (HypervisorFeature feature in HypervisorFeature.All.Where(feature => !feature.IsIn(capabilities)))
            {
                yield return $"{name}, {feature.Name}: {capabilities.Reasons[feature.Name]}";
            }
        }

        string Row(string head, Func<(string Name, HypervisorCapabilities Capabilities, HypervisorPresence Presence), string> cell) =>
            (head.PadRight(first) + string.Concat(columns.Select(column => cell(column).PadRight(Math.Max(column.Name.Length, "yes".Length) + Gap)))).TrimEnd();
    }

    /// <summary>The same for programs.</summary>
    public IReadOnlyList<HypervisorLine> Json() =>
    [
        .. columns.Select(column => new HypervisorLine(column.Name, column.Presence.IsUsable, column.Presence.Version, column.Presence.Reason, column.Presence.Mend,
            [
                .. HypervisorFeature.All.Select(feature => new FeatureLine(feature.Name, feature.IsIn(column.Capabilities),
                    feature.IsIn(column.Capabilities) ? null : column.Capabilities.Reasons[feature.Name])),
            ])),
    ];

    private static string Word(bool can) => can ? "yes" : "no";
}
