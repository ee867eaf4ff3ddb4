using System.Buffers.Binary;
using System.Net.Sockets;

namespace Virtigo.Hypervisors.Qemu.Nbd;

/// <summary>A disk that another process serves. One request at a time; a reply that is not of the protocol breaks the connection.</summary>
internal sealed class NbdClient : IBlockStore, IAsyncDisposable
{
    // A whole number of sectors and of QEMU's clusters, and well within 32 bits.
    private const long MaxZero = 1L << 30;

    private readonly Stream _stream;
    private readonly byte[] _request = new byte[NbdWire.RequestLength];
    private readonly byte[] _reply = new byte[NbdWire.ReplyLength];
    private ulong _cookie;

    private NbdClient(Stream stream, long size) => (_stream, Size) = (stream, size);

    /// <inheritdoc/>
    public long Size { get; }

    /// <summary>Connects to a server's only disk.</summary>
    /// <param name="stream">A connection on which nothing was read; belongs to the client from here on.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">The server hung up.</exception>
    /// <exception cref="InvalidDataException">The server's greeting is not of the protocol, or it does not offer what is needed.</exception>
    public static async Task<NbdClient> ConnectAsync(Stream stream, CancellationToken cancellationToken)
    {
        try
        {
            byte[] buffer = new byte[20];
            await stream.ReadExactlyAsync(buffer.AsMemory(0, 18), cancellationToken);
            ushort handshake = BinaryPrimitives.ReadUInt16BigEndian(buffer.AsSpan(16));
            const ushort needed = NbdWire.FixedNewStyle | NbdWire.NoZeroes;
            Expect(BinaryPrimitives.ReadUInt64BigEndian(buffer) == NbdWire.Magic
                && BinaryPrimitives.ReadUInt64BigEndian(buffer.AsSpan(8)) == NbdWire.OptionMagic && (handshake & needed) == needed, "greeting");

            BinaryPrimitives.WriteUInt32BigEndian(buffer, needed);
            BinaryPrimitives.WriteUInt64BigEndian(buffer.AsSpan(4), NbdWire.OptionMagic);
            BinaryPrimitives.WriteUInt32BigEndian(buffer.AsSpan(12), NbdWire.OptionExportName);
            BinaryPrimitives.WriteUInt32BigEndian(buffer.AsSpan(16), 0);
            await stream.WriteAsync(buffer, cancellationToken);

            await stream.ReadExactlyAsync(buffer.AsMemory(0, 10), cancellationToken);
            ulong size = BinaryPrimitives.ReadUInt64BigEndian(buffer);
            const ushort wanted = NbdWire.HasFlags | NbdWire.SendFlush | NbdWire.SendWriteZeroes;
            Expect(size <= long.MaxValue && (BinaryPrimitives.ReadUInt16BigEndian(buffer.AsSpan(8)) & (wanted | NbdWire.ReadOnly)) == wanted, "offer");
            return new NbdClient(stream, (long)size);
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }

        static void Expect(bool so, string what)
        {
            if (!so)
            {
                throw new InvalidDataException($"The server of the disk has an unexpected {what}.");
            }
        }
    }

    /// <inheritdoc/>
    public async Task ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        for (int done = 0; done < buffer.Length;)
        {
            Memory<byte> part = buffer.Slice(done, Math.Min(NbdWire.MaxData, buffer.Length - done));
            await AskAsync(NbdWire.Read, offset + done, (uint)part.Length, ReadOnlyMemory<byte>.Empty, cancellationToken);
            await GuardAsync(() => _stream.ReadExactlyAsync(part, cancellationToken));
            done += part.Length;
        }
    }

    /// <inheritdoc/>
    public async Task WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        for (int done = 0; done < data.Length;)
        {
            ReadOnlyMemory<byte> part = data.Slice(done, Math.Min(NbdWire.MaxData, data.Length - done));
            await AskAsync(NbdWire.Write, offset + done, (uint)part.Length, part, cancellationToken);
            done += part.Length;
        }
    }

    /// <inheritdoc/>
    public async Task ZeroAsync(long offset, long length, CancellationToken cancellationToken)
    {
        for (long done = 0; done < length;)
        {
            long part = Math.Min(MaxZero, length - done);
            await AskAsync(NbdWire.WriteZeroes, offset + done, (uint)part, ReadOnlyMemory<byte>.Empty, cancellationToken);
            done += part;
        }
    }

    /// <inheritdoc/>
    public Task FlushAsync(CancellationToken cancellationToken) =>
        AskAsync(NbdWire.Flush, 0, 0, ReadOnlyMemory<byte>.Empty, cancellationToken);

    /// <summary>Says goodbye: the server may end then.</summary>
    public async Task DisconnectAsync(CancellationToken cancellationToken)
    {
        NbdWire.Format(_request, new NbdRequest(0, NbdWire.Disconnect, ++_cookie, 0, 0));
        await GuardAsync(() => _stream.WriteAsync(_request, cancellationToken));
        await _stream.DisposeAsync();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    /// <summary>Sends a request and awaits its reply, without the data that may follow that.</summary>
    private async Task AskAsync(ushort type, long offset, uint length, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        NbdWire.Format(_request, new NbdRequest(0, type, ++_cookie, (ulong)offset, length));
        await GuardAsync(async () =>
        {
            await _stream.WriteAsync(_request, cancellationToken);
            await _stream.WriteAsync(data, cancellationToken);
            await _stream.ReadExactlyAsync(_reply, cancellationToken);
        });
        if (BinaryPrimitives.ReadUInt32BigEndian(_reply) != NbdWire.ReplyMagic || BinaryPrimitives.ReadUInt64BigEndian(_reply.AsSpan(8)) != _cookie)
        {
            await _stream.DisposeAsync();
            throw new IOException("The server of the disk sent something that is no reply.");
        }

        if (BinaryPrimitives.ReadUInt32BigEndian(_reply.AsSpan(4)) is var error and not 0)
        {
            throw new NbdException(error);
        }
    }

    /// <summary>After a request that was cut short nothing that follows could be understood: the connection ends with it.</summary>
    private async Task GuardAsync(Func<ValueTask> exchange)
    {
        try
        {
            await exchange();
        }
        catch (Exception error) when (error is IOException or SocketException or ObjectDisposedException)
        {
            await _stream.DisposeAsync();
            throw new IOException("The connection to the server of the disk is broken: " + error.Message, error);
        }
        catch (OperationCanceledException)
        {
            await _stream.DisposeAsync();
            throw;
        }
    }
}
