using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Xen;

/// <summary>
/// Carries bytes between a domain's console or channel and a socket that stays when the domain is replaced, by a thread of its own: a terminal cannot be
/// awaited. It ends with the domain's side, which hangs up when the domain is gone, or with the socket.
/// </summary>
internal sealed partial class GuestBridge : IAsyncDisposable
{
    private const int ReadWrite = 2;
    private const int NoControl = 0x100;
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;
    private const short Readable = 1;
    private const short Writable = 4;
    private const int Again = 11;
    private const int Interrupted = 4;
    private const int BufferSize = 32 << 10;

    private readonly SafeHandle _domain;
    private readonly Socket _socket;
    private readonly Socket? _owner;
    private readonly Socket _stop;
    private readonly Socket _stopped;
    private readonly Way _toSocket = new();
    private readonly Way _toDomain = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _last = TimeProvider.System.GetTimestamp();

    /// <summary>Begins to carry.</summary>
    /// <param name="domain">The descriptor of the domain's side, which does not block; disposed with the bridge.</param>
    /// <param name="socket">The socket; not disposed.</param>
    /// <param name="owner">The socket that the descriptor is of, if it is one: one that nobody held would close it when it is finalized.</param>
    public GuestBridge(SafeHandle domain, Socket socket, Socket? owner = null)
    {
        (_domain, _socket, _owner) = (domain, socket, owner);
        socket.Blocking = false;
        (_stop, _stopped) = LocalSockets.StreamPair();
        new Thread(Run) { IsBackground = true, Name = "guest bridge" }.Start();
    }

    /// <summary>Begins to carry for a domain's side that is a socket; it is the bridge's from now on.</summary>
    /// <param name="domain">The domain's side.</param>
    /// <param name="socket">The socket; not disposed.</param>
    public static GuestBridge Over(Socket domain, Socket socket)
    {
        domain.Blocking = false;
        return new GuestBridge(domain.SafeHandle, socket, domain);
    }

    /// <summary>Opens a terminal.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it cannot be opened.</exception>
    public static SafeHandle OpenTerminal(string path)
    {
        // Without the flag a terminal could become ours, the one whose end kills us.
        int descriptor = Open(path, ReadWrite | NoControl | NonBlocking | CloseOnExec);
        return descriptor >= 0
            ? new SafeFileHandle(descriptor, ownsHandle: true)
            : throw new VirtigoException(FailureKind.Host, $"The console {path} cannot be opened: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}.");
    }

    /// <summary>Completes, never faults, when nothing is carried any more.</summary>
    public Task Ended => _ended.Task;

    /// <summary>How long the guest has said nothing.</summary>
    public TimeSpan Quiet => TimeProvider.System.GetElapsedTime(Volatile.Read(ref _last));

    /// <summary>Ends carrying.</summary>
    public async ValueTask DisposeAsync()
    {
        _stop.Dispose();
        await Ended;
    }

    private void Run()
    {
        try
        {
            while (Carry())
            {
            }
        }
        finally
        {
            _owner?.Dispose();
            _domain.Dispose();
            _stopped.Dispose();
            _ended.SetResult();
        }
    }

    private bool Carry()
    {
        int domain = (int)_domain.DangerousGetHandle();
        int socket = (int)_socket.Handle;
        Span<Polled> polled =
        [
            Polled.For(domain, _toSocket.IsEmpty, !_toDomain.IsEmpty),
            Polled.For(socket, _toDomain.IsEmpty, !_toSocket.IsEmpty),
            Polled.For((int)_stopped.Handle, true, false),
        ];
        if (Poll(ref polled[0], (nuint)polled.Length, -1) < 0)
        {
            return Marshal.GetLastPInvokeError() == Interrupted;
        }

        if (polled[2].Found != 0)
        {
            return false;
        }

        if (_toSocket.IsEmpty && polled[0].Found != 0)
        {
            // What hung up may still have something to say; when it has not, reading tells the end.
            if (!_toSocket.Fill(domain))
            {
                return false;
            }

            Volatile.Write(ref _last, TimeProvider.System.GetTimestamp());
        }

        if (_toDomain.IsEmpty && polled[1].Found != 0 && !_toDomain.Fill(socket))
        {
            return false;
        }

        return _toSocket.Drain(socket) && _toDomain.Drain(domain);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Polled
    {
        public int Descriptor;
        public short Wanted;
        public short Found;

        // One of which nothing is wanted is left out: its end would be told again and again.
        public static Polled For(int descriptor, bool reads, bool writes) => new()
        {
            Descriptor = reads || writes ? descriptor : -1,
            Wanted = (short)((reads ? Readable : 0) | (writes ? Writable : 0)),
        };
    }

    /// <summary>Bytes on their way.</summary>
    private sealed class Way
    {
        private readonly byte[] _buffer = new byte[BufferSize];
        private int _start;
        private int _end;

        public bool IsEmpty => _start == _end;

        /// <summary>Takes what there is; false at the end.</summary>
        public bool Fill(int from)
        {
            nint read = Read(from, ref _buffer[0], (nuint)_buffer.Length);
            if (read <= 0)
            {
                return read < 0 && IsForNow();
            }

            (_start, _end) = (0, (int)read);
            return true;
        }

        /// <summary>Gives what is taken; false when nobody takes it any more.</summary>
        public bool Drain(int to)
        {
            while (!IsEmpty)
            {
                nint written = Write(to, ref _buffer[_start], (nuint)(_end - _start));
                if (written <= 0)
                {
                    return written < 0 && IsForNow();
                }

                _start += (int)written;
            }

            return true;
        }

        private static bool IsForNow() => Marshal.GetLastPInvokeError() is Again or Interrupted;
    }

    // Safe: a text that is not changed.
    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    // Safe: the array has as many entries as are said.
    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref Polled first, nuint count, int limit);

    // Safe: room for as many bytes as are said, held for the call.
    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(int descriptor, ref byte buffer, nuint length);

    // Safe: as many bytes as are said, held for the call.
    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int descriptor, ref byte buffer, nuint length);
}
