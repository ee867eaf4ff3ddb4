using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace Virtigo.Networks;

/// <summary>An IPv4 address as a number: the first octet is the most significant byte.</summary>
internal readonly record struct Ipv4Address(uint Value)
{
    /// <summary>0.0.0.0, "no address yet".</summary>
    public static Ipv4Address Any => default;

    /// <summary>255.255.255.255, everyone on this link.</summary>
    public static Ipv4Address Broadcast => new(uint.MaxValue);

    /// <summary>Makes an address of its four octets.</summary>
    public static Ipv4Address Of(byte a, byte b, byte c, byte d) => new(((uint)a << 24) | ((uint)b << 16) | ((uint)c << 8) | d);

    /// <summary>Reads four bytes in network order.</summary>
    public static Ipv4Address Read(ReadOnlySpan<byte> bytes) => new(BinaryPrimitives.ReadUInt32BigEndian(bytes));

    /// <summary>Writes four bytes in network order.</summary>
    public void Write(Span<byte> bytes) => BinaryPrimitives.WriteUInt32BigEndian(bytes, Value);

    /// <summary>The same address as the framework's type.</summary>
    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[4];
        Write(bytes);
        return new IPAddress(bytes);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Value >> 24}.{(Value >> 16) & 255}.{(Value >> 8) & 255}.{Value & 255}");
}

/// <summary>An IPv4 network: its first address and how many leading bits are fixed (8 to 30).</summary>
internal readonly record struct Ipv4Subnet
{
    /// <summary>Creates the network that holds <paramref name="address"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The prefix is outside 8..30.</exception>
    public Ipv4Subnet(Ipv4Address address, int prefixLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(prefixLength, 8);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(prefixLength, 30);
        PrefixLength = prefixLength;
        Network = new Ipv4Address(address.Value & Mask.Value);
    }

    /// <summary>The lowest address, with all host bits clear.</summary>
    public Ipv4Address Network { get; }

    /// <summary>The number of fixed leading bits.</summary>
    public int PrefixLength { get; }

    /// <summary>The netmask.</summary>
    public Ipv4Address Mask => new(uint.MaxValue << (32 - PrefixLength));

    /// <summary>The address with all host bits set.</summary>
    public Ipv4Address DirectedBroadcast => new(Network.Value | ~Mask.Value);

    /// <summary>The number of addresses that hosts may have.</summary>
    public int Hosts => (int)(~Mask.Value - 1);

    /// <summary>The host with this number, counted from 1.</summary>
    public Ipv4Address Host(int number) => new(Network.Value + (uint)number);

    /// <summary>Whether the address belongs to this network.</summary>
    public bool Contains(Ipv4Address address) => (address.Value & Mask.Value) == Network.Value;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Network}/{PrefixLength}");
}

/// <summary>An Ethernet address, in the low 48 bits.</summary>
internal readonly record struct MacAddress(ulong Value)
{
    /// <summary>The length of an address on the wire, in bytes.</summary>
    public const int Size = 6;

    /// <summary>Everyone on this link.</summary>
    public static MacAddress Broadcast => new(0xFFFF_FFFF_FFFF);

    /// <summary>Whether it names a group; such an address never sends.</summary>
    public bool IsGroup => (Value & 0x0100_0000_0000) != 0;

    /// <summary>Reads six bytes.</summary>
    public static MacAddress Read(ReadOnlySpan<byte> bytes) =>
        new(((ulong)BinaryPrimitives.ReadUInt16BigEndian(bytes) << 32) | BinaryPrimitives.ReadUInt32BigEndian(bytes[2..]));

    /// <summary>Writes six bytes.</summary>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)(Value >> 32));
        BinaryPrimitives.WriteUInt32BigEndian(bytes[2..], (uint)Value);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{(byte)(Value >> 40):x2}:{(byte)(Value >> 32):x2}:{(byte)(Value >> 24):x2}:{(byte)(Value >> 16):x2}:{(byte)(Value >> 8):x2}:{(byte)Value:x2}");
}
