using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Virtigo.Networks;

/// <summary>What a descriptor is watched for or ready for.</summary>
[Flags]
internal enum EpollEvents : uint
{
    None = 0,
    Readable = 0x001,
    Writable = 0x004,
    Error = 0x008,
    HungUp = 0x010,
    EdgeTriggered = 1u << 31,
}

/// <summary>The kernel's list of descriptors to wait on, and a way to end that wait from another thread.</summary>
internal sealed partial class Epoll : IDisposable
{
    private const int CloseOnExec = 0x80000;
    private const int NonBlocking = 0x800;
    private const int OperationAdd = 1;
    private const int OperationRemove = 2;
    private const int OperationModify = 3;
    private const int Interrupted = 4;
    private const int MaximumEvents = 64;
    private const ulong SendQueueSize = 0x5411;

    /// <summary>The kernel packs the structure on x86-64 only: event mask, then the 64 bits that are ours.</summary>
    private static readonly int s_dataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;

    private readonly SafeFileHandle _epoll;
    private readonly SafeFileHandle _wake;
    private readonly byte[] _events = new byte[MaximumEvents * 16];

    /// <summary>Makes an empty list.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Host"/>: the kernel has no descriptors left.</exception>
    public Epoll()
    {
        _epoll = CreateEpoll(CloseOnExec);
        if (_epoll.IsInvalid)
        {
            throw Failed("make an epoll list");
        }

        _wake = CreateEvent(0, CloseOnExec | NonBlocking);
        if (_wake.IsInvalid)
        {
            _epoll.Dispose();
            throw Failed("make an event descriptor");
        }

        Control(_wake, OperationAdd, EpollEvents.Readable | EpollEvents.EdgeTriggered, ulong.MaxValue);
    }

    /// <summary>Watches a socket.</summary>
    /// <param name="socket">It must stay open until <see cref="Remove"/>.</param>
    /// <param name="events">What for.</param>
    /// <param name="tag">Given back by <see cref="Wait"/>; not the largest number.</param>
    public void Add(Socket socket, EpollEvents events, ulong tag) => Control(socket.SafeHandle, OperationAdd, events, tag);

    /// <summary>Watches a socket for something else.</summary>
    public void Modify(Socket socket, EpollEvents events, ulong tag) => Control(socket.SafeHandle, OperationModify, events, tag);

    /// <summary>Watches a socket no more.</summary>
    public void Remove(Socket socket) => Control(socket.SafeHandle, OperationRemove, EpollEvents.None, 0);

    /// <summary>Ends the wait of another thread, or the next one. Any thread may call it.</summary>
    public void Wake() => Write(_wake, 1, sizeof(ulong));

    /// <summary>Waits until something is ready, the time is over, or <see cref="Wake"/> was called.</summary>
    /// <param name="milliseconds">The limit; negative for none.</param>
    /// <returns>The number of ready descriptors; 0 for a wake as well.</returns>
    public int Wait(int milliseconds)
    {
        int count = WaitForEvents(_epoll, _events, MaximumEvents, milliseconds);
        return count >= 0 ? count
            : Marshal.GetLastPInvokeError() == Interrupted ? 0
            : throw Failed("wait for events");
    }

    /// <summary>What the last wait found.</summary>
    /// <param name="index">Below what <see cref="Wait"/> returned.</param>
    /// <returns>The tag (the largest number for a wake) and what it is ready for.</returns>
    public (ulong Tag, EpollEvents Events) this[int index]
    {
        get
        {
            ReadOnlySpan<byte> bytes = _events.AsSpan(index * (s_dataOffset + sizeof(ulong)));
            return (MemoryMarshal.Read<ulong>(bytes[s_dataOffset..]), (EpollEvents)MemoryMarshal.Read<uint>(bytes));
        }
    }

    /// <summary>Whether the other end has not yet read everything written to this unix socket.</summary>
    public static bool HasUnread(Socket socket) => InputOutputControl(socket.SafeHandle, SendQueueSize, out int bytes) == 0 && bytes != 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        _epoll.Dispose();
        _wake.Dispose();
    }

    private void Control(SafeHandle handle, int operation, EpollEvents events, ulong tag)
    {
        Span<byte> value = stackalloc byte[16];
        MemoryMarshal.Write(value, (uint)events);
        MemoryMarshal.Write(value[s_dataOffset..], tag);
        if (ControlEpoll(_epoll, operation, handle, value) != 0)
        {
            throw Failed("watch a descriptor");
        }
    }

    private static VirtigoException Failed(string what) =>
        new(FailureKind.Host, $"The network switch cannot {what}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}.",
            "See 'ulimit -n' for the number of open files a process may have.");

    // Safe: takes a number and returns a new descriptor, which the handle owns.
    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial SafeFileHandle CreateEpoll(int flags);

    // Safe: takes numbers and returns a new descriptor, which the handle owns.
    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial SafeFileHandle CreateEvent(uint value, int flags);

    // Safe: the marshaller keeps both handles alive for the call; the kernel reads at most the 16 bytes of the span.
    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int ControlEpoll(SafeFileHandle epoll, int operation, SafeHandle handle, ReadOnlySpan<byte> value);

    // Safe: the array is pinned for the call and has 16 bytes, the most an event takes, for each of the events asked for.
    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int WaitForEvents(SafeFileHandle epoll, byte[] events, int count, int milliseconds);

    // Safe: the kernel reads the eight bytes of the value; the descriptor does not block, and a full counter wakes as well.
    [LibraryImport("libc", EntryPoint = "write")]
    private static partial nint Write(SafeFileHandle handle, in ulong value, nint length);

    // Safe: this request writes one int, which the marshaller provides; the handle is kept alive for the call.
    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int InputOutputControl(SafeHandle handle, ulong request, out int value);
}
