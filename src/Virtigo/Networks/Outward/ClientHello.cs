using System.Buffers.Binary;

namespace Virtigo.Networks;

/// <summary>The first message of a TLS client (RFC 8446, 4.1.2), as far as it names the server (RFC 6066, 3).</summary>
internal static class ClientHello
{
    /// <summary>What a record of the handshake begins with.</summary>
    public const byte RecordType = 22;

    private const int RecordHeader = 5;
    private const int MaximumRecord = 1 << 14;
    private const int MessageHeader = 4;
    private const byte Hello = 1;
    private const int VersionAndRandom = 2 + 32;
    private const ushort ServerName = 0;
    private const byte HostNameType = 0;

    /// <summary>Reads the records that carry the message. Any bytes at all are fine.</summary>
    public static SpokenName Read(ReadOnlySpan<byte> bytes)
    {
        Span<byte> message = bytes.Length <= SpokenName.MaximumBytes ? stackalloc byte[SpokenName.MaximumBytes] : new byte[bytes.Length];
        int length = 0;
        while (bytes.Length >= RecordHeader)
        {
            int record = BinaryPrimitives.ReadUInt16BigEndian(bytes[3..]);
            if (bytes[0] != RecordType || bytes[1] != 3 || record is 0 or > MaximumRecord)
            {
                // A handshake may go on in further records, but only with its like.
                return new SpokenName(length == 0 && bytes[1] != 3 ? Speech.Other : Speech.Malformed);
            }

            ReadOnlySpan<byte> part = bytes[RecordHeader..];
            part = part[..Math.Min(record, part.Length)];
            part.CopyTo(message[length..]);
            length += part.Length;
            if (length > 0 && message[0] != Hello)
            {
                return new SpokenName(Speech.Malformed);
            }

            int whole = length < MessageHeader ? int.MaxValue : MessageHeader + (message[1] << 16) + BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
            if (length >= whole)
            {
                // What follows in the same record would be another message, which no client sends before the server has answered.
                return length > whole ? new SpokenName(Speech.Malformed) : ReadMessage(message[MessageHeader..length]);
            }

            if (part.Length < record)
            {
                break;
            }

            bytes = bytes[(RecordHeader + record)..];
        }

        return new SpokenName(bytes.Length > 1 && bytes[0] == RecordType && bytes[1] != 3 && length == 0 ? Speech.Other : Speech.Incomplete);
    }

    private static SpokenName ReadMessage(ReadOnlySpan<byte> body)
    {
        if (!TrySkip(ref body, VersionAndRandom) || !TryTake(ref body, 1, out ReadOnlySpan<byte> session) || session.Length > 32
            || !TryTake(ref body, 2, out ReadOnlySpan<byte> ciphers) || ciphers.Length is 0 || ciphers.Length % 2 != 0
            || !TryTake(ref body, 1, out ReadOnlySpan<byte> compressions) || compressions.IsEmpty)
        {
            return new SpokenName(Speech.Malformed);
        }

        if (body.IsEmpty)
        {
            return new SpokenName(Speech.Nameless);
        }

        if (!TryTake(ref body, 2, out ReadOnlySpan<byte> extensions) || !body.IsEmpty)
        {
            return new SpokenName(Speech.Malformed);
        }

        var name = new SpokenName(Speech.Nameless);
        while (!extensions.IsEmpty)
        {
            if (extensions.Length < 2)
            {
                return new SpokenName(Speech.Malformed);
            }

            ushort type = BinaryPrimitives.ReadUInt16BigEndian(extensions);
            extensions = extensions[2..];
            if (!TryTake(ref extensions, 2, out ReadOnlySpan<byte> content))
            {
                return new SpokenName(Speech.Malformed);
            }

            if (type == ServerName)
            {
                name = name.Speech == Speech.Nameless ? ReadServerName(content) : new SpokenName(Speech.Malformed);
            }
        }

        return name;
    }

    private static SpokenName ReadServerName(ReadOnlySpan<byte> content) =>
        TryTake(ref content, 2, out ReadOnlySpan<byte> list) && content.IsEmpty && list.Length > 1 && list[0] == HostNameType
            && list[1..] is var rest && TryTake(ref rest, 2, out ReadOnlySpan<byte> name) && rest.IsEmpty
            ? SpokenName.Of(name)
            : new SpokenName(Speech.Malformed);

    private static bool TrySkip(ref ReadOnlySpan<byte> bytes, int count)
    {
        if (bytes.Length < count)
        {
            return false;
        }

        bytes = bytes[count..];
        return true;
    }

    /// <summary>Takes a vector off the front: its length in one or two bytes, then its bytes.</summary>
    private static bool TryTake(ref ReadOnlySpan<byte> bytes, int prefix, out ReadOnlySpan<byte> vector)
    {
        vector = default;
        if (bytes.Length < prefix)
        {
            return false;
        }

        int length = prefix == 1 ? bytes[0] : BinaryPrimitives.ReadUInt16BigEndian(bytes);
        if (bytes.Length < prefix + length)
        {
            return false;
        }

        vector = bytes.Slice(prefix, length);
        bytes = bytes[(prefix + length)..];
        return true;
    }
}
