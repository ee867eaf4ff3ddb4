using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Networks;

/// <summary>
/// A name server that knows a few names, all with one address, and denies every other. It asks nobody: nothing leaks.
/// Not thread safe.
/// </summary>
/// <param name="names">The names it knows, in any case, without a final dot.</param>
/// <param name="address">Their address.</param>
/// <param name="refusals">Where denied names are recorded.</param>
internal sealed class DnsResponder(IEnumerable<string> names, Ipv4Address address, RefusalLog refusals)
{
    public const ushort Port = 53;

    private const int HeaderSize = 12;
    private const int MaximumName = 253;
    private const int MaximumLabel = 63;
    private const ushort TypeAddress = 1;
    private const ushort TypeAny = 255;
    private const ushort ClassInternet = 1;
    private const ushort IsResponse = 0x8000;
    private const ushort OpcodeMask = 0x7800;
    private const ushort Authoritative = 0x0400;
    private const ushort RecursionDesired = 0x0100;
    private const ushort RecursionAvailable = 0x0080;
    private const uint TimeToLive = 300;
    private readonly HashSet<string> _names = new(names.Select(name => name.TrimEnd('.')), StringComparer.OrdinalIgnoreCase);

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
            return Write(message, [], ResponseCode.NotImplemented, withAddress: false);
        }

        if (BinaryPrimitives.ReadUInt16BigEndian(message[4..]) != 1 || !TryReadQuestion(message[HeaderSize..], out ReadOnlySpan<byte> question, out string name))
        {
            return Write(message, [], ResponseCode.FormatError, withAddress: false);
        }

        ushort type = BinaryPrimitives.ReadUInt16BigEndian(question[^4..]);
        ushort networkClass = BinaryPrimitives.ReadUInt16BigEndian(question[^2..]);
        bool isKnown = _names.Contains(name) && networkClass == ClassInternet;
        if (!isKnown && !IsServiceOfKnownName(name))
        {
            refusals.Add("dns", name);
        }

        return Write(message, question, isKnown ? ResponseCode.NoError : ResponseCode.NoSuchName,
            withAddress: isKnown && type is TypeAddress or TypeAny);
    }

    /// <summary>Programs look for <c>_http._tcp.NAME</c> before NAME; that is no attempt to reach another host.</summary>
    private bool IsServiceOfKnownName(string name)
    {
        while (name.StartsWith('_'))
        {
            name = name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..];
            if (_names.Contains(name))
            {
                return true;
            }
        }

        return false;
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

    private byte[] Write(ReadOnlySpan<byte> request, ReadOnlySpan<byte> question, ResponseCode code, bool withAddress)
    {
        const int answerSize = 16;
        var message = new byte[HeaderSize + question.Length + (withAddress ? answerSize : 0)];
        request[..2].CopyTo(message);
        ushort asked = BinaryPrimitives.ReadUInt16BigEndian(request[2..]);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2),
            (ushort)(IsResponse | Authoritative | RecursionAvailable | (asked & (OpcodeMask | RecursionDesired)) | (ushort)code));
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(4), (ushort)(question.IsEmpty ? 0 : 1));
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(6), (ushort)(withAddress ? 1 : 0));
        question.CopyTo(message.AsSpan(HeaderSize));
        if (withAddress)
        {
            const ushort pointerToQuestion = 0xC000 | HeaderSize;
            Span<byte> answer = message.AsSpan(HeaderSize + question.Length);
            BinaryPrimitives.WriteUInt16BigEndian(answer, pointerToQuestion);
            BinaryPrimitives.WriteUInt16BigEndian(answer[2..], TypeAddress);
            BinaryPrimitives.WriteUInt16BigEndian(answer[4..], ClassInternet);
            BinaryPrimitives.WriteUInt32BigEndian(answer[6..], TimeToLive);
            BinaryPrimitives.WriteUInt16BigEndian(answer[10..], 4);
            address.Write(answer[12..]);
        }

        return message;
    }
}
