using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Virtigo.Networks;

namespace Virtigo.Bench;

/// <summary>One end of a link that frames go over.</summary>
internal interface IFrameEnd : IDisposable
{
    /// <summary>Sends a frame; waits while there is no room.</summary>
    void Send(ReadOnlySpan<byte> frame);

    /// <summary>Waits for frames.</summary>
    /// <returns>How many came; 0 after <see cref="Close"/>.</returns>
    int Receive();

    /// <summary>Ends a <see cref="Receive"/> of another thread.</summary>
    void Close();
}

/// <summary>QEMU's framing over a stream, with buffers of QEMU's size.</summary>
internal sealed class StreamEnd(Socket socket) : IFrameEnd
{
    private readonly byte[] _sending = new byte[FrameOutput.PrefixSize + GuestLinkSession.LongestFrame];
    private readonly byte[] _buffer = new byte[GuestLinkSession.LongestFrame];
    private int _filled;

    /// <summary>The bytes still to come of a frame already counted.</summary>
    private int _skip;

    /// <summary>Two ends with nothing in between.</summary>
    public static (StreamEnd A, StreamEnd B) Pair()
    {
        string path = Path.Combine(Path.GetTempPath(), $"vsb-{Guid.NewGuid():N}");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        Socket other = listener.Accept();
        File.Delete(path);
        return (new StreamEnd(socket), new StreamEnd(other));
    }

    /// <inheritdoc/>
    public void Send(ReadOnlySpan<byte> frame)
    {
        BinaryPrimitives.WriteInt32BigEndian(_sending, frame.Length);
        frame.CopyTo(_sending.AsSpan(FrameOutput.PrefixSize));
        Span<byte> rest = _sending.AsSpan(0, FrameOutput.PrefixSize + frame.Length);
        while (!rest.IsEmpty)
        {
            rest = rest[socket.Send(rest)..];
        }
    }

    /// <inheritdoc/>
    public int Receive()
    {
        int frames = 0;
        while (frames == 0)
        {
            int count = socket.Receive(_buffer.AsSpan(_filled), SocketFlags.None, out SocketError error);
            if (count == 0 || error != SocketError.Success)
            {
                return 0;
            }

            _filled += count;
            int at = Math.Min(_skip, _filled);
            _skip -= at;
            while (_filled - at >= FrameOutput.PrefixSize)
            {
                int end = at + FrameOutput.PrefixSize + BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(at));
                frames++;
                _skip = Math.Max(0, end - _filled);
                at = Math.Min(end, _filled);
            }

            _buffer.AsSpan(at, _filled - at).CopyTo(_buffer);
            _filled -= at;
        }

        return frames;
    }

    /// <inheritdoc/>
    public void Close() => socket.Shutdown(SocketShutdown.Both);

    /// <inheritdoc/>
    public void Dispose() => socket.Dispose();
}

/// <summary>A port of vde_switch, spoken to as libvdeplug does: a request over its control socket, then a frame for each datagram.</summary>
internal sealed class VdeEnd : IFrameEnd
{
    private const uint Magic = 0xFEED_FACE;
    private const uint Version = 3;
    private const int PathSize = 108;
    private readonly Socket _control = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Socket _data = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly byte[] _buffer = new byte[1 << 16];
    private readonly string _path;

    private VdeEnd(string path) => _path = path;

    /// <summary>Connects to the switch of a folder.</summary>
    public static VdeEnd Connect(string folder)
    {
        var end = new VdeEnd(Path.Combine(folder, $".{Guid.NewGuid():N}"[..12]));
        end._data.Bind(new UnixDomainSocketEndPoint(end._path));
        end._control.Connect(new UnixDomainSocketEndPoint(Path.Combine(folder, "ctl")));

        // Packed: magic, version, type "new control connection", then a socket address with the path of our data socket, then a description.
        var request = new byte[12 + 2 + PathSize + 1];
        BitConverter.TryWriteBytes(request, Magic);
        BitConverter.TryWriteBytes(request.AsSpan(4), Version);
        BitConverter.TryWriteBytes(request.AsSpan(12), (ushort)AddressFamily.Unix);
        Encoding.UTF8.GetBytes(end._path, request.AsSpan(14));
        end._control.Send(request);
        var answer = new byte[2 + PathSize];
        int count = end._control.Receive(answer);
        end._data.Connect(new UnixDomainSocketEndPoint(Encoding.UTF8.GetString(answer.AsSpan(2, count - 2)).TrimEnd('\0')));
        return end;
    }

    /// <inheritdoc/>
    public void Send(ReadOnlySpan<byte> frame) => _data.Send(frame);

    /// <inheritdoc/>
    public int Receive() => _data.Receive(_buffer, SocketFlags.None, out SocketError error) > 0 && error == SocketError.Success ? 1 : 0;

    /// <inheritdoc/>
    public void Close() => _data.Shutdown(SocketShutdown.Both);

    /// <inheritdoc/>
    public void Dispose()
    {
        _data.Dispose();
        _control.Dispose();
        File.Delete(_path);
    }
}
