using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>Reads what people write about networks. Each answers null for what is none.</summary>
internal static class NetworkText
{
    /// <summary>An IPv4 address in its usual form: four decimal numbers.</summary>
    public static Ipv4Address? Address(string text) =>
        text.Count(character => character == '.') == 3 && IPAddress.TryParse(text, out IPAddress? address)
            && address.AddressFamily == AddressFamily.InterNetwork && address.ToString() == text
            ? Ipv4Address.Read(address.GetAddressBytes())
            : null;

    /// <summary>A network such as <c>10.1.0.0/24</c>, with 8 to 29 fixed bits.</summary>
    public static Ipv4Subnet? Subnet(string text) =>
        text.Split('/') is [var network, var prefix] && Address(network) is { } address
            && int.TryParse(prefix, NumberStyles.None, CultureInfo.InvariantCulture, out int bits) && bits is >= 8 and <= 29
            && new Ipv4Subnet(address, bits) is var subnet && subnet.Network == address
            ? subnet
            : null;

    /// <summary>A port of a machine such as <c>server:80</c>.</summary>
    public static PortForward? Forward(string text) =>
        text.Split(':') is [{ Length: > 0 } machine, var port]
            && int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number is >= 1 and <= 65535
            ? new PortForward(machine, number)
            : null;
}
