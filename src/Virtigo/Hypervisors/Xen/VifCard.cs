using System.ComponentModel;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Xen;

/// <summary>
/// Our end of a guest's card: the interface in dom0, on no bridge. Its frames are ours alone: dom0's own network, which else would answer what a guest
/// asks any of its addresses for, gets none of them, and sends none.
/// </summary>
internal static partial class VifCard
{
    /// <summary>The largest packet of a card: Linux gives one that may not scatter a packet over several pages no more.</summary>
    public const int MaxMtu = 1500;

    private const int PacketFamily = 17;
    private const int RawPackets = 3;
    private const int CloseOnExec = 0x80000;
    private const ushort AllProtocols = 3;
    private const int PacketLevel = 263;
    private const int WithHeader = 15;
    private const int IgnoreOutgoing = 23;
    private const int AddressSize = 20;

    /// <summary>The interface of a card.</summary>
    public static string Interface(int domain, int card) => string.Create(CultureInfo.InvariantCulture, $"vif{domain}.{card}");

    /// <summary>The card's folder in XenStore, on our side.</summary>
    public static string Backend(int domain, int card) => string.Create(CultureInfo.InvariantCulture, $"/local/domain/0/backend/vif/{domain}/{card}");

    /// <summary>Plugs a card of a domain that has not begun yet.</summary>
    /// <returns>A socket of its packets, each of which begins with a <see cref="VifHeader"/>.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> with the command that failed.</exception>
    public static async Task<Socket> PlugAsync(XenStore store, int domain, int card, int mtu, CancellationToken cancellationToken)
    {
        string name = Interface(domain, card);
        string backend = Backend(domain, card);

        // A frame that a guest leaves to others to cut into several would be longer than any network of ours takes.
        foreach (string feature in (string[])["feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6"])
        {
            await store.WriteAsync($"{backend}/{feature}", "0", cancellationToken);
        }

        await File.WriteAllTextAsync($"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1", cancellationToken);
        await Tool.RunAsync("tc", ["qdisc", "add", "dev", name, "clsact"], cancellationToken);
        await Tool.RunAsync("tc", ["filter", "add", "dev", name, "ingress", "matchall", "action", "drop"], cancellationToken);
        await Tool.RunAsync("ip", ["link", "set", "dev", name, "arp", "off", "mtu", mtu.ToString(CultureInfo.InvariantCulture), "up"], cancellationToken);
        Socket socket = Open(name);
        try
        {
            await store.WriteAsync(backend + "/hotplug-status", "connected", cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static Socket Open(string name)
    {
        int index = Index(name);
        int descriptor = MakeSocket(PacketFamily, RawPackets | CloseOnExec, 0);
        if (index == 0 || descriptor < 0)
        {
            throw Failure(name);
        }

        var socket = new Socket(new SafeSocketHandle(descriptor, ownsHandle: true));
        try
        {
            Span<byte> on = stackalloc byte[sizeof(int)];
            on[0] = 1;
            socket.SetRawSocketOption(PacketLevel, WithHeader, on);
            socket.SetRawSocketOption(PacketLevel, IgnoreOutgoing, on);
            Span<byte> address = stackalloc byte[AddressSize];
            address.Clear();
            MemoryMarshal.Write(address, (ushort)PacketFamily);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(address[2..], AllProtocols);
            MemoryMarshal.Write(address[4..], index);
            return Bind(descriptor, ref address[0], AddressSize) == 0 ? socket : throw Failure(name);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static VirtigoException Failure(string name) =>
        new(FailureKind.Host, $"The frames of {name} cannot be had: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}.");

    // Safe: a text that is not changed.
    [LibraryImport("libc", EntryPoint = "if_nametoindex", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Index(string name);

    // Safe: integers only.
    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int MakeSocket(int domain, int type, int protocol);

    // Safe: the address has the length that is said.
    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int Bind(int descriptor, ref byte address, int length);
}
