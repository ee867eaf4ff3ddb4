using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Virtigo.Networks;

/// <summary>The addresses of a name.</summary>
/// <param name="Ipv4">Its IPv4 address.</param>
/// <param name="Ipv6">Its IPv6 address, or null for none.</param>
internal readonly record struct HostAddresses(Ipv4Address Ipv4, IPAddress? Ipv6 = null);

/// <summary>A name server that knows a few names and denies every other. It asks nobody: nothing leaks. Not thread safe.</summary>
internal sealed class DnsResponder
{
    public const ushort Port = 53;

    /// <summary>What a name begins with that stands for all names below another.</summary>
    public const string AnyBelow = "*.";

    private const int HeaderSize = 12;
    private const int MaximumName = 253;
    private const int MaximumLabel = 63;
    private const ushort TypeAddress = 1;
    private const ushort TypePointer = 12;
    private const ushort TypeAddress6 = 28;
    private const ushort TypeAny = 255;
    private const ushort ClassInternet = 1;
    private const ushort IsResponse = 0x8000;
    private const ushort OpcodeMask = 0x7800;
    private const ushort Authoritative = 0x0400;
    private const ushort RecursionDesired = 0x0100;
    private const ushort RecursionAvailable = 0x0080;
    private const uint TimeToLive = 300;
    private const int RecordSize = 12;
    private const int AddressSize = 4;
    private const int Address6Size = 16;
    private readonly Dictionary<string, HostAddresses> _hosts = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, HostAddresses> _below = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, string> _pointers = new(StringComparer.OrdinalIgnoreCase);
    private readonly RefusalLog _refusals;
    private readonly uint _timeToLive;

    /// <summary>Creates a server whose names all have one address.</summary>
    /// <param name="names">The names it knows, in any case.</param>
    /// <param name="address">Their address.</param>
    /// <param name="refusals">Where denied names are recorded.</param>
    public DnsResponder(IEnumerable<string> names, Ipv4Address address, RefusalLog refusals)
        : this(names.Select(name => KeyValuePair.Create(name, new HostAddresses(address))), refusals)
    {
    }

    /// <summary>Creates a server of these names.</summary>
    /// <param name="hosts">The names it knows, in any case; of two that are the same the first counts. <c>*.NAME</c> stands for every name below
    /// NAME that is not known otherwise; the longest one that fits counts.</param>
    /// <param name="refusals">Where denied names are recorded.</param>
    /// <param name="timeToLive">How long answers may be remembered, in seconds.</param>
    public DnsResponder(IEnumerable<KeyValuePair<string, HostAddresses>> hosts, RefusalLog refusals, uint timeToLive = TimeToLive)
    {
        (_refusals, _timeToLive) = (refusals, timeToLive);
        foreach ((string name, HostAddresses addresses) in hosts)
        {
            if (name.StartsWith(AnyBelow, StringComparison.Ordinal))
            {
                _below.TryAdd(name[AnyBelow.Length..].TrimEnd('.'), addresses);
                continue;
            }

            _hosts.TryAdd(name.TrimEnd('.'), addresses);
            _pointers.TryAdd(ReverseName(addresses.Ipv4.ToIPAddress()), name.TrimEnd('.'));
            if (addresses.Ipv6 is { } address6)
            {
                _pointers.TryAdd(ReverseName(address6), name.TrimEnd('.'));
            }
        }
    }

    private enum ResponseCode : ushort
    {
        NoError = 0,
        FormatError = 1,
        NoSuchName = 3,
        NotImplemented = 4,
    }

    /// <summary>Answers a question.</summary>
    /// <param name="message">The payload of a UDP datagram to port 53.</param>
    /// <returns>The answer, or null when the message is no question at all.</returns>
    public byte[]? Answer(ReadOnlySpan<byte> message)
    {
        if (message.Length < HeaderSize)
        {
            return null;
        }

        ushort flags = BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
        if ((flags & IsResponse) != 0)
        {
            return null;
        }

        if ((flags & OpcodeMask) != 0)
        {
            return Write(message, [], ResponseCode.NotImplemented);
        }

        if (BinaryPrimitives.ReadUInt16BigEndian(message[4..]) != 1 || !TryReadQuestion(message[HeaderSize..], out ReadOnlySpan<byte> question, out string name))
        {
            return Write(message, [], ResponseCode.FormatError);
        }

        ushort type = BinaryPrimitives.ReadUInt16BigEndian(question[^4..]);
        ushort networkClass = BinaryPrimitives.ReadUInt16BigEndian(question[^2..]);
        if (_pointers.TryGetValue(name, out string? pointer) && networkClass == ClassInternet)
        {
            return Write(message, question, ResponseCode.NoError, pointer: type is TypePointer or TypeAny ? pointer : null);
        }

        bool isKnown = TryFind(name, out HostAddresses addresses) && networkClass == ClassInternet;
        if (!isKnown && !IsServiceOfKnownName(name))
        {
            _refusals.Add("dns", name);
        }

        return !isKnown ? Write(message, question, ResponseCode.NoSuchName)
            : Write(message, question, ResponseCode.NoError, type is TypeAddress or TypeAny ? addresses.Ipv4 : null,
                type is TypeAddress6 or TypeAny ? addresses.Ipv6 : null);
    }

    /// <summary>Programs look for <c>_http._tcp.NAME</c> before NAME; that is no attempt to reach another host.</summary>
    private bool IsServiceOfKnownName(string name)
    {
        while (name.StartsWith('_'))
        {
            name = name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..];
            if (TryFind(name, out _))
            {
                return true;
            }
        }

        return false;
    }

    private bool TryFind(string name, out HostAddresses addresses)
    {
        if (_hosts.TryGetValue(name, out addresses))
        {
            return true;
        }

        for (int dot = _below.Count > 0 ? name.IndexOf('.', StringComparison.Ordinal) : -1; dot > 0; dot = name.IndexOf('.', dot + 1))
        {
            if (_below.TryGetValue(name[(dot + 1)..], out addresses))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The name under which an address is looked up to find its name.</summary>
    private static string ReverseName(IPAddress address)
    {
        byte[] bytes = address.GetAddressBytes();
        return bytes.Length == AddressSize
            ? string.Join('.', bytes.Reverse()) + ".in-addr.arpa"
            : string.Join('.', Convert.ToHexString(bytes).Reverse()) + ".ip6.arpa";
    }

    private static bool TryReadQuestion(ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> question, out string name)
    {
        question = default;
        name = "";
        var labels = new StringBuilder();
        int at = 0;
        while (at < bytes.Length && bytes[at] != 0)
        {
            int length = bytes[at];
            if (length > MaximumLabel || at + 1 + length >= bytes.Length || labels.Length + length > MaximumName)
            {
                return false;
            }

            labels.Append(labels.Length == 0 ? "" : ".");
            foreach (byte character in bytes.Slice(at + 1, length))
            {
                labels.Append(character is > 32 and < 127 and not (byte)'.' ? (char)character : '?');
            }

            at += 1 + length;
        }

        int end = at + 1 + 4;
        if (end > bytes.Length)
        {
            return false;
        }

        question = bytes[..end];
        name = labels.ToString();
        return true;
    }

    private byte[] Write(ReadOnlySpan<byte> request, ReadOnlySpan<byte> question, ResponseCode code,
        Ipv4Address? address = null, IPAddress? address6 = null, string? pointer = null)
    {
        byte[] name = pointer is null ? [] : Labels(pointer);
        int size = HeaderSize + question.Length + (address is null ? 0 : RecordSize + AddressSize) + (address6 is null ? 0 : RecordSize + Address6Size)
            + (pointer is null ? 0 : RecordSize + name.Length);
        int records = (address is null ? 0 : 1) + (address6 is null ? 0 : 1) + (pointer is null ? 0 : 1);
        var message = new byte[size];
        request[..2].CopyTo(message);
        ushort asked = BinaryPrimitives.ReadUInt16BigEndian(request[2..]);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2),
            (ushort)(IsResponse | Authoritative | RecursionAvailable | (asked & (OpcodeMask | RecursionDesired)) | (ushort)code));
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(4), (ushort)(question.IsEmpty ? 0 : 1));
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(6), (ushort)records);
        question.CopyTo(message.AsSpan(HeaderSize));
        Span<byte> rest = message.AsSpan(HeaderSize + question.Length);
        if (address is { } known)
        {
            known.Write(AddRecord(ref rest, TypeAddress, AddressSize));
        }

        address6?.TryWriteBytes(AddRecord(ref rest, TypeAddress6, Address6Size), out _);
        if (pointer is not null)
        {
            name.CopyTo(AddRecord(ref rest, TypePointer, name.Length));
        }

        return message;
    }

    private static byte[] Labels(string name) =>
        [.. name.Split('.').SelectMany(label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]), 0];

    /// <returns>Where the record's data goes.</returns>
    private Span<byte> AddRecord(ref Span<byte> rest, ushort type, int size)
    {
        const ushort pointerToQuestion = 0xC000 | HeaderSize;
        BinaryPrimitives.WriteUInt16BigEndian(rest, pointerToQuestion);
        BinaryPrimitives.WriteUInt16BigEndian(rest[2..], type);
        BinaryPrimitives.WriteUInt16BigEndian(rest[4..], ClassInternet);
        BinaryPrimitives.WriteUInt32BigEndian(rest[6..], _timeToLive);
        BinaryPrimitives.WriteUInt16BigEndian(rest[10..], (ushort)size);
        Span<byte> data = rest.Slice(RecordSize, size);
        rest = rest[(RecordSize + size)..];
        return data;
    }
}
