using Virtigo.Networks;

namespace Virtigo.Environments;

public sealed partial class VirtualEnvironment
{
    /// <summary>
    /// What machines wanted of the world outside and did not get, one sentence each: names and hosts that <c>egress</c> does not list, and
    /// listed ones that were refused with the reason. At most eleven; the last one then says how many more there were.
    /// </summary>
    public IReadOnlyList<string> Refusals => RefusalsOf(listedOnly: false);

    /// <summary>What machines may reach outside, one text for each host: its name, what is open, and the address at which they find it.</summary>
    internal IReadOnlyList<string> Opened => OpenedBy(_plan);

    /// <summary>What a plan opens, for people.</summary>
    internal static IReadOnlyList<string> OpenedBy(EnvironmentPlan plan) =>
    [
        .. EnvironmentEgress.ArchivesOf(plan).Select(archive => $"the archive {archive} through the verifying proxy"),
        .. plan.Places.Select(place => place.ToString()),
    ];

    /// <summary>What was refused.</summary>
    /// <param name="listedOnly">Whether only of hosts that are listed.</param>
    internal IReadOnlyList<string> RefusalsOf(bool listedOnly)
    {
        IEnumerable<GatewayRefusal> ofRelay = _held.OfType<EnvironmentEgress>().SelectMany(egress => egress.Refusals);
        return RefusalText.Of([.. ofRelay, .. Switch.Refusals], _plan.Places, listedOnly);
    }
}
