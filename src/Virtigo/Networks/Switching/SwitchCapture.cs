using System.Buffers.Binary;
using System.Threading.Channels;

namespace Virtigo.Networks;

/// <summary>What to record.</summary>
/// <param name="Network">The network. By itself: every frame once, as it was sent.</param>
/// <param name="Machine">A machine, or null: what it sends, before faults, and what arrives at it, behind them.</param>
/// <param name="Peer">Another machine, or null: only what arrives at one of the two from the other.</param>
internal sealed record CapturePoint(string Network, string? Machine = null, string? Peer = null);

/// <summary>
/// A running capture in pcap's format with nanoseconds. What the disk does not take in time is left out and counted: guests never wait for it.
/// </summary>
internal sealed class SwitchCapture : IAsyncDisposable
{
    private const int BufferSize = 2 << 20;
    private const int FileHeaderSize = 24;
    private const int RecordHeaderSize = 16;
    private const uint MagicOfNanoseconds = 0xA1B2_3C4D;
    private const uint Ethernet = 1;

    private readonly int _machine;
    private readonly int _peer;
    private readonly long _limit;
    private readonly TimeProvider _clock;
    private readonly Action<SwitchCapture> _ended;
    private readonly Action<Exception>? _failed;
    private readonly Stream _file;
    private readonly Lock _lock = new();
    private readonly Channel<bool> _waits = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Task _writing;
    private byte[] _filling = new byte[BufferSize];
    private byte[] _leaving = new byte[BufferSize];
    private int _filled;
    private long _size = FileHeaderSize;
    private bool _isBroken;

    /// <summary>Begins a file.</summary>
    /// <param name="path">The file, replaced if it is there.</param>
    /// <param name="machine">The port of <see cref="CapturePoint.Machine"/>, or -1.</param>
    /// <param name="peer">The port of <see cref="CapturePoint.Peer"/>, or -1.</param>
    /// <param name="limit">The most bytes of the file.</param>
    /// <param name="clock">For the times of frames.</param>
    /// <param name="ended">Called when no more frames are wanted.</param>
    /// <param name="failed">Called when the file cannot be written any more.</param>
    /// <param name="open">Opens the file; null for the usual way.</param>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Host"/>: the file cannot be made.</exception>
    public SwitchCapture(string path, int machine, int peer, long limit, TimeProvider clock, Action<SwitchCapture> ended, Action<Exception>? failed,
        Func<string, Stream>? open = null)
    {
        (_machine, _peer, _limit, _clock, _ended, _failed) = (machine, peer, limit, clock, ended, failed);
        try
        {
            _file = (open ?? OpenFile)(path);
            _file.Write(FileHeader());
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _file?.Dispose();
            throw new VirtigoException(FailureKind.Host, $"Cannot write the capture '{path}': {error.Message}", inner: error);
        }

        _writing = WriteAsync();
    }

    /// <summary>Frames in the file, or on their way to it.</summary>
    public long Frames { get; private set; }

    /// <summary>Frames left out since the disk was too slow, the file is full, or it broke.</summary>
    public long Dropped { get; private set; }

    /// <summary>Takes a frame if it is wanted.</summary>
    /// <param name="from">The sender's port; -1 for the services.</param>
    /// <param name="to">The receiver's port; -1 for a frame that was just sent.</param>
    /// <param name="frame">The frame.</param>
    public void Record(int from, int to, ReadOnlySpan<byte> frame)
    {
        if (!IsWanted(from, to))
        {
            return;
        }

        lock (_lock)
        {
            int size = RecordHeaderSize + frame.Length;
            if (_isBroken || _size + size > _limit || _filled + size > BufferSize)
            {
                Dropped++;
                return;
            }

            long ticks = (_clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks;
            Span<byte> record = _filling.AsSpan(_filled, size);
            BinaryPrimitives.WriteUInt32LittleEndian(record, (uint)(ticks / TimeSpan.TicksPerSecond));
            BinaryPrimitives.WriteUInt32LittleEndian(record[4..], (uint)(ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick));
            BinaryPrimitives.WriteInt32LittleEndian(record[8..], frame.Length);
            BinaryPrimitives.WriteInt32LittleEndian(record[12..], frame.Length);
            frame.CopyTo(record[RecordHeaderSize..]);
            _filled += size;
            _size += size;
            Frames++;
        }

        _waits.Writer.TryWrite(true);
    }

    /// <summary>Ends the capture; the file is complete when this returns.</summary>
    public async ValueTask DisposeAsync()
    {
        _ended(this);
        _waits.Writer.TryComplete();
        await _writing;
        await _file.DisposeAsync();
    }

    private bool IsWanted(int from, int to) =>
        _machine < 0 ? to < 0
        : _peer < 0 ? to == _machine || (to < 0 && from == _machine)
        : (from == _machine && to == _peer) || (from == _peer && to == _machine);

    private static FileStream OpenFile(string path) => new(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);

    private static byte[] FileHeader()
    {
        var header = new byte[FileHeaderSize];
        BinaryPrimitives.WriteUInt32LittleEndian(header, MagicOfNanoseconds);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(4), 2);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(6), 4);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(16), GuestLinkSession.LongestFrame);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(20), Ethernet);
        return header;
    }

    private async Task WriteAsync()
    {
        try
        {
            bool goesOn = true;
            while (goesOn)
            {
                goesOn = await _waits.Reader.WaitToReadAsync();
                _waits.Reader.TryRead(out _);
                await _file.WriteAsync(Take());
            }
        }
        catch (IOException error)
        {
            lock (_lock)
            {
                _isBroken = true;
            }

            _failed?.Invoke(error);
        }
    }

    private ReadOnlyMemory<byte> Take()
    {
        lock (_lock)
        {
            (_filling, _leaving) = (_leaving, _filling);
            ReadOnlyMemory<byte> taken = _leaving.AsMemory(0, _filled);
            _filled = 0;
            return taken;
        }
    }
}
