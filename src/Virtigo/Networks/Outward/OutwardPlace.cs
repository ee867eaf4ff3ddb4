namespace Virtigo.Networks;

/// <summary>An address at which guests find a host of the world outside, and what they may reach there.</summary>
/// <param name="Address">The address as guests see it: outside of every network of theirs.</param>
/// <param name="Pattern">A host's name; <c>*.NAME</c> for all names below one; or the address itself. In lower case.</param>
/// <param name="Ports">The TCP ports that are open.</param>
internal sealed record OutwardPlace(Ipv4Address Address, string Pattern, IReadOnlySet<int> Ports)
{
    /// <summary>Whether many hosts are at this address, so that a guest must say which one it means.</summary>
    public bool IsShared => Pattern.StartsWith(DnsResponder.AnyBelow, StringComparison.Ordinal);

    /// <summary>Whether the host has no name, only this address.</summary>
    public bool IsNameless => Pattern == Address.ToString();

    /// <summary>The place for people: <c>api.example.org:443</c>; the ports 80 and 443 together are left out.</summary>
    public override string ToString() =>
        Ports.SetEquals([80, 443]) ? Pattern : $"{Pattern}:{string.Join(',', Ports.Order())}";
}
