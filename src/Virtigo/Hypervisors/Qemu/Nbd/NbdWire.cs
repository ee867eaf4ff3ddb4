using System.Buffers.Binary;

namespace Virtigo.Hypervisors.Qemu.Nbd;

/// <summary>
/// The numbers of the protocol for network block devices, as in its specification (<c>doc/proto.md</c> of the nbd project): fixed newstyle
/// handshake, simple replies. Everything is big-endian.
/// </summary>
internal static class NbdWire
{
    public const ulong Magic = 0x4e42444d41474943;
    public const ulong OptionMagic = 0x49484156454F5054;
    public const ulong OptionReplyMagic = 0x0003e889045565a9;
    public const uint RequestMagic = 0x25609513;
    public const uint ReplyMagic = 0x67446698;

    public const ushort FixedNewStyle = 1;
    public const ushort NoZeroes = 2;

    public const uint OptionExportName = 1;
    public const uint OptionAbort = 2;
    public const uint OptionInfo = 6;
    public const uint OptionGo = 7;

    public const uint ReplyAck = 1;
    public const uint ReplyInfo = 3;
    public const uint ReplyUnsupported = 0x8000_0001;
    public const uint ReplyInvalid = 0x8000_0003;

    public const ushort InfoExport = 0;
    public const ushort InfoBlockSize = 3;

    public const ushort HasFlags = 1;
    public const ushort ReadOnly = 2;
    public const ushort SendFlush = 4;
    public const ushort SendTrim = 32;
    public const ushort SendWriteZeroes = 64;

    public const ushort Read = 0;
    public const ushort Write = 1;
    public const ushort Disconnect = 2;
    public const ushort Flush = 3;
    public const ushort Trim = 4;
    public const ushort WriteZeroes = 6;

    /// <summary>A flag of <see cref="WriteZeroes"/>: the range is to keep its space. It is no matter here.</summary>
    public const ushort NoHole = 2;

    public const uint IoError = 5;
    public const uint Invalid = 22;
    public const uint NoSpace = 28;

    /// <summary>The bytes of a request without its data.</summary>
    public const int RequestLength = 28;

    /// <summary>The bytes of a reply without its data.</summary>
    public const int ReplyLength = 16;

    /// <summary>The most data of one request, in bytes: QEMU's own limit.</summary>
    public const int MaxData = 32 << 20;

    /// <summary>Writes a request.</summary>
    public static void Format(Span<byte> target, NbdRequest request)
    {
        BinaryPrimitives.WriteUInt32BigEndian(target, RequestMagic);
        BinaryPrimitives.WriteUInt16BigEndian(target[4..], request.Flags);
        BinaryPrimitives.WriteUInt16BigEndian(target[6..], request.Type);
        BinaryPrimitives.WriteUInt64BigEndian(target[8..], request.Cookie);
        BinaryPrimitives.WriteUInt64BigEndian(target[16..], request.Offset);
        BinaryPrimitives.WriteUInt32BigEndian(target[24..], request.Length);
    }

    /// <summary>Reads a request.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static NbdRequest Parse(ReadOnlySpan<byte> source) =>
        BinaryPrimitives.ReadUInt32BigEndian(source) != RequestMagic
            ? throw new InvalidDataException("The client of the disk sent something that is no request.")
            : new NbdRequest(
                BinaryPrimitives.ReadUInt16BigEndian(source[4..]),
                BinaryPrimitives.ReadUInt16BigEndian(source[6..]),
                BinaryPrimitives.ReadUInt64BigEndian(source[8..]),
                BinaryPrimitives.ReadUInt64BigEndian(source[16..]),
                BinaryPrimitives.ReadUInt32BigEndian(source[24..]));
}

/// <summary>A request to a network block device.</summary>
internal readonly record struct NbdRequest(ushort Flags, ushort Type, ulong Cookie, ulong Offset, uint Length);

/// <summary>A network block device failed a request.</summary>
/// <param name="error">The protocol's number of the error.</param>
internal sealed class NbdException(uint error)
    : IOException(error == NbdWire.NoSpace ? "The file system is full." : FormattableString.Invariant($"The disk failed a request (error {error})."))
{
    /// <summary>The protocol's number of the error.</summary>
    public uint Error { get; } = error;
}
