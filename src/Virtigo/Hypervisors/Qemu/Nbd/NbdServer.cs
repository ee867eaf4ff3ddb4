using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Hypervisors.Qemu.Nbd;

/// <summary>
/// Serves one disk to one client, one request after the other, so that what was answered before is done before what is asked later. The client
/// may be a QEMU that its guest has taken over: whatever it sends, no more than one request is in memory.
/// </summary>
internal static class NbdServer
{
    private const int MaxOption = 8192;
    private const int MaxOptions = 64;
    private const uint MinBlock = 512;
    private const uint PreferredBlock = 4096;
    private const ushort Flags = NbdWire.HasFlags | NbdWire.SendFlush | NbdWire.SendTrim | NbdWire.SendWriteZeroes;

    /// <summary>Serves a client until it says goodbye or hangs up.</summary>
    /// <param name="stream">The connection; its owner closes it.</param>
    /// <param name="size">The disk's size, in bytes.</param>
    /// <param name="opening">The disk, once there is one: the first request waits for it.</param>
    /// <param name="cancellationToken">Ends the serving.</param>
    /// <exception cref="InvalidDataException">The client did not keep to the protocol.</exception>
    /// <exception cref="IOException">The connection broke in the middle of a message.</exception>
    public static async Task ServeAsync(Stream stream, long size, Task<IBlockStore> opening, CancellationToken cancellationToken)
    {
        if (!await GreetAsync(stream, size, cancellationToken))
        {
            return;
        }

        byte[] header = new byte[NbdWire.RequestLength];
        while (await stream.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, cancellationToken) is var count and not 0)
        {
            NbdRequest request = count == header.Length ? NbdWire.Parse(header) : throw new EndOfStreamException();
            if (request.Type == NbdWire.Disconnect)
            {
                return;
            }

            await AnswerAsync(stream, request, size, opening, cancellationToken);
        }
    }

    private static async Task AnswerAsync(Stream stream, NbdRequest request, long size, Task<IBlockStore> opening, CancellationToken cancellationToken)
    {
        byte[] data = [];
        if (request.Type == NbdWire.Write)
        {
            data = request.Length <= NbdWire.MaxData
                ? GC.AllocateUninitializedArray<byte>((int)request.Length)
                : throw new InvalidDataException("The client of the disk writes more at once than it may.");
            await stream.ReadExactlyAsync(data, cancellationToken);
        }

        int replied = request.Type == NbdWire.Read && request.Length <= NbdWire.MaxData ? (int)request.Length : 0;
        byte[] reply = GC.AllocateUninitializedArray<byte>(NbdWire.ReplyLength + replied);
        uint error = IsValid(request, size)
            ? await CarryOutAsync(request, data, reply.AsMemory(NbdWire.ReplyLength), opening, cancellationToken)
            : NbdWire.Invalid;
        BinaryPrimitives.WriteUInt32BigEndian(reply, NbdWire.ReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(4), error);
        BinaryPrimitives.WriteUInt64BigEndian(reply.AsSpan(8), request.Cookie);
        await stream.WriteAsync(reply.AsMemory(0, error == 0 ? reply.Length : NbdWire.ReplyLength), cancellationToken);
    }

    private static bool IsValid(NbdRequest request, long size) => request switch
    {
        { Type: NbdWire.Flush, Flags: 0 } => true,
        { Type: NbdWire.Read or NbdWire.Write, Length: > NbdWire.MaxData } => false,
        { Type: NbdWire.Read or NbdWire.Write or NbdWire.Trim, Flags: 0 } or { Type: NbdWire.WriteZeroes, Flags: 0 or NbdWire.NoHole } =>
            request.Length > 0 && request.Offset <= (ulong)size && request.Length <= (ulong)size - request.Offset,
        _ => false,
    };

    private static async Task<uint> CarryOutAsync(
        NbdRequest request, byte[] data, Memory<byte> read, Task<IBlockStore> opening, CancellationToken cancellationToken)
    {
        try
        {
            IBlockStore store = await opening.WaitAsync(cancellationToken);
            long offset = (long)request.Offset;
            await (request.Type switch
            {
                NbdWire.Read => store.ReadAsync(offset, read, cancellationToken),
                NbdWire.Write => store.WriteAsync(offset, data, cancellationToken),
                NbdWire.Flush => store.FlushAsync(cancellationToken),
                _ => store.ZeroAsync(offset, request.Length, cancellationToken),
            });
            return 0;
        }
        catch (IOException error)
        {
            return error is NbdException { Error: NbdWire.NoSpace } ? NbdWire.NoSpace : NbdWire.IoError;
        }
    }

    /// <summary>Agrees with the client on the disk.</summary>
    /// <returns>Whether the client wants it.</returns>
    private static async Task<bool> GreetAsync(Stream stream, long size, CancellationToken cancellationToken)
    {
        byte[] greeting = new byte[18];
        BinaryPrimitives.WriteUInt64BigEndian(greeting, NbdWire.Magic);
        BinaryPrimitives.WriteUInt64BigEndian(greeting.AsSpan(8), NbdWire.OptionMagic);
        BinaryPrimitives.WriteUInt16BigEndian(greeting.AsSpan(16), NbdWire.FixedNewStyle | NbdWire.NoZeroes);
        await stream.WriteAsync(greeting, cancellationToken);
        byte[] head = new byte[16];
        await stream.ReadExactlyAsync(head.AsMemory(0, 4), cancellationToken);
        bool zeroes = (BinaryPrimitives.ReadUInt32BigEndian(head) & NbdWire.NoZeroes) == 0;
        for (int options = 0; options < MaxOptions; options++)
        {
            await stream.ReadExactlyAsync(head, cancellationToken);
            uint option = BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(8));
            uint length = BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(12));
            if (BinaryPrimitives.ReadUInt64BigEndian(head) != NbdWire.OptionMagic || length > MaxOption)
            {
                throw new InvalidDataException("The client of the disk sent something that is no option.");
            }

            byte[] data = new byte[length];
            await stream.ReadExactlyAsync(data, cancellationToken);
            switch (option)
            {
                case NbdWire.OptionExportName:
                    byte[] export = new byte[10 + (zeroes ? 124 : 0)];
                    BinaryPrimitives.WriteInt64BigEndian(export, size);
                    BinaryPrimitives.WriteUInt16BigEndian(export.AsSpan(8), Flags);
                    await stream.WriteAsync(export, cancellationToken);
                    return true;
                case NbdWire.OptionAbort:
                    await ReplyAsync(stream, option, NbdWire.ReplyAck, [], cancellationToken);
                    return false;
                case NbdWire.OptionGo or NbdWire.OptionInfo when IsInfoRequest(data):
                    await DescribeAsync(stream, option, size, cancellationToken);
                    if (option == NbdWire.OptionGo)
                    {
                        return true;
                    }

                    break;
                case NbdWire.OptionGo or NbdWire.OptionInfo:
                    await ReplyAsync(stream, option, NbdWire.ReplyInvalid, Encoding.ASCII.GetBytes("malformed"), cancellationToken);
                    break;
                default:
                    await ReplyAsync(stream, option, NbdWire.ReplyUnsupported, [], cancellationToken);
                    break;
            }
        }

        throw new InvalidDataException("The client of the disk cannot make up its mind.");
    }

    /// <summary>Whether these are a name and a list of wishes. There is one disk, whatever its name, and all wishes are granted.</summary>
    private static bool IsInfoRequest(ReadOnlySpan<byte> data)
    {
        uint name = data.Length >= 6 ? BinaryPrimitives.ReadUInt32BigEndian(data) : uint.MaxValue;
        return name <= data.Length - 6
            && data.Length == 6 + (int)name + (2 * BinaryPrimitives.ReadUInt16BigEndian(data[(4 + (int)name)..]));
    }

    private static async Task DescribeAsync(Stream stream, uint option, long size, CancellationToken cancellationToken)
    {
        byte[] export = new byte[12];
        BinaryPrimitives.WriteUInt16BigEndian(export, NbdWire.InfoExport);
        BinaryPrimitives.WriteInt64BigEndian(export.AsSpan(2), size);
        BinaryPrimitives.WriteUInt16BigEndian(export.AsSpan(10), Flags);
        await ReplyAsync(stream, option, NbdWire.ReplyInfo, export, cancellationToken);
        byte[] blocks = new byte[14];
        BinaryPrimitives.WriteUInt16BigEndian(blocks, NbdWire.InfoBlockSize);
        BinaryPrimitives.WriteUInt32BigEndian(blocks.AsSpan(2), MinBlock);
        BinaryPrimitives.WriteUInt32BigEndian(blocks.AsSpan(6), PreferredBlock);
        BinaryPrimitives.WriteUInt32BigEndian(blocks.AsSpan(10), NbdWire.MaxData);
        await ReplyAsync(stream, option, NbdWire.ReplyInfo, blocks, cancellationToken);
        await ReplyAsync(stream, option, NbdWire.ReplyAck, [], cancellationToken);
    }

    private static async Task ReplyAsync(Stream stream, uint option, uint type, byte[] data, CancellationToken cancellationToken)
    {
        byte[] reply = new byte[20 + data.Length];
        BinaryPrimitives.WriteUInt64BigEndian(reply, NbdWire.OptionReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(8), option);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(12), type);
        BinaryPrimitives.WriteInt32BigEndian(reply.AsSpan(16), data.Length);
        data.CopyTo(reply, 20);
        await stream.WriteAsync(reply, cancellationToken);
    }
}
