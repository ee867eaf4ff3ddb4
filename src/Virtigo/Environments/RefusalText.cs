using Virtigo.Appliances;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>What machines wanted of the world outside and did not get, for people. Bounded, since machines decide how much there is.</summary>
internal static class RefusalText
{
    /// <summary>How many are told at a time.</summary>
    public const int Most = 10;

    /// <summary>One line for each thing, the ones about listed hosts first; at most <see cref="Most"/>, then one with the number of the others.</summary>
    /// <param name="refusals">Everything refused.</param>
    /// <param name="places">Where machines find listed hosts.</param>
    /// <param name="listedOnly">Whether only what was wanted of listed hosts is told.</param>
    public static IReadOnlyList<string> Of(IEnumerable<GatewayRefusal> refusals, IReadOnlyList<OutwardPlace> places, bool listedOnly)
    {
        string[] lines =
        [
            .. refusals.Select(refusal => (Refusal: refusal, Place: PlaceOf(refusal, places)))
                .Where(pair => pair.Place is not null || pair.Refusal.Reason is not null || (!listedOnly && !IsNoise(pair.Refusal)))
                .OrderBy(pair => pair.Refusal.Reason is null).ThenBy(pair => pair.Place is null)
                .Select(pair => Line(pair.Refusal, pair.Place)).Distinct(),
        ];
        return lines.Length <= Most ? lines : [.. lines.Take(Most), FormattableString.Invariant($"… and {lines.Length - Most} more")];
    }

    private static OutwardPlace? PlaceOf(GatewayRefusal refusal, IReadOnlyList<OutwardPlace> places) =>
        places.FirstOrDefault(place => refusal.Protocol != "dns" && (place.Pattern == refusal.Target || place.Address.ToString() == refusal.Target));

    private static string Line(GatewayRefusal refusal, OutwardPlace? place)
    {
        string port = refusal.Port > 0 ? FormattableString.Invariant($":{refusal.Port}") : "";
        return refusal switch
        {
            { Reason: { } reason } => $"{place?.Pattern ?? refusal.Target}{port} {reason}",
            { Protocol: "dns" } => $"{refusal.Target} is not listed in egress",
            { Protocol: "tcp" } when place is not null => $"{place.Pattern}{port} is not open: egress lists {place}",
            _ when place is not null => $"{place.Pattern}{port} by {refusal.Protocol}: only TCP leads out",
            _ => $"{refusal.Target}{port} by {refusal.Protocol} is not listed in egress",
        };
    }

    /// <summary>What programs ask beside what they were told to: names of addresses, services, and names completed with the own domain.</summary>
    private static bool IsNoise(GatewayRefusal refusal) => refusal.Protocol == "arp"
        || (refusal.Protocol == "dns" && (refusal.Target.StartsWith('_') || refusal.Target.EndsWith(".arpa", StringComparison.OrdinalIgnoreCase)
            || refusal.Target.EndsWith("." + SpecKeys.DefaultDomain, StringComparison.OrdinalIgnoreCase)));
}
