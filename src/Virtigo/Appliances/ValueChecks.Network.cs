using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>Checks of what is said about the network.</summary>
internal static partial class ValueChecks
{
    public static string? Mac(string value) =>
        !MacPattern().IsMatch(value) ? "is not an Ethernet address: expected six pairs of hexadecimal digits in lower case, such as 52:54:00:12:34:56"
        : (Convert.ToByte(value[..2], 16) & 1) == 1 || value == "00:00:00:00:00:00" ? "is no address of a card: it names a group, or nothing"
        : null;

    /// <summary>An address that a host may have.</summary>
    public static string? Address(string value) =>
        ReadAddress(value) is not null ? null : "is not an address of a host: expected something like 192.0.2.1 or 2001:db8::1";

    /// <summary>An address with the number of bits of its network.</summary>
    public static string? AddressWithPrefix(string value)
    {
        const string Expected = "expected something like 192.0.2.10/24 or 2001:db8::10/64";
        if (!value.Contains('/', StringComparison.Ordinal) && ReadAddress(value) is { } bare)
        {
            return $"lacks the size of its network: expected something like {value}{(bare.AddressFamily == AddressFamily.InterNetwork ? "/24" : "/64")}";
        }

        return ReadTargetAddress(value) is not { } address ? $"is not an address with the size of its network: {Expected}"
            : address is { IsV4: true, PrefixLength: < 31 } && IsNetworkItself(address) ? "is the network itself, or everyone on it, and no host's address"
            : null;
    }

    public static string? Domain(string value) =>
        value.Length is >= 1 and <= 200 && value.Split('.').All(label => HostLabel(label) is null)
            ? null
            : "is not a domain: expected labels of lower-case letters, digits and hyphens with dots between them, such as corp.example";

    public static string? Proxy(string value)
    {
        if (value.Length > 500 || !Uri.TryCreate(value, UriKind.Absolute, out Uri? url) || url.Scheme != "http" || url.Host.Length == 0
            || value.Any(character => character is <= ' ' or > '~' or '"' or '\'' or '\\' or '`' or '$' or ';' or '#') || url.AbsolutePath != "/" || url.Query.Length > 0)
        {
            return "is not the URL of a proxy: expected something like http://proxy.example:3128";
        }

        return url.UserInfo.Length > 0
            ? "has a user name or password in it, which every account of the machine could read; use a proxy that needs none, or write the file "
                + "/etc/apt/apt.conf.d/proxy with a first-boot step"
            : null;
    }

    /// <summary>Reads what <see cref="Address"/> accepts; null for anything else.</summary>
    public static IPAddress? ReadAddress(string value) =>
        value.Length <= 45 && !value.Contains('%', StringComparison.Ordinal) && !value.Contains('[', StringComparison.Ordinal) && IPAddress.TryParse(value, out IPAddress? address)
        && (address.AddressFamily == AddressFamily.InterNetworkV6 || address.ToString() == value) && !IsNobody(address)
            ? address
            : null;

    /// <summary>Reads what <see cref="AddressWithPrefix"/> accepts; null for anything else.</summary>
    public static TargetAddress? ReadTargetAddress(string value) =>
        value.Split('/') is [var host, var bits] && ReadAddress(host) is { } address
        && int.TryParse(bits, NumberStyles.None, CultureInfo.InvariantCulture, out int prefix)
        && prefix >= 1 && prefix <= (address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128)
            ? new TargetAddress(address, prefix)
            : null;

    private static bool IsNobody(IPAddress address) =>
        address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) || address.Equals(IPAddress.Broadcast) || IPAddress.IsLoopback(address)
        || address.IsIPv6Multicast || address.IsIPv4MappedToIPv6 || (address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes()[0] is 0 or >= 224);

    private static bool IsNetworkItself(TargetAddress address)
    {
        uint host = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(address.Address.GetAddressBytes()) & (uint.MaxValue >> address.PrefixLength);
        return host == 0 || host == uint.MaxValue >> address.PrefixLength;
    }

    [GeneratedRegex(@"\A[0-9a-f]{2}(:[0-9a-f]{2}){5}\z", RegexOptions.CultureInvariant)]
    private static partial Regex MacPattern();
}
