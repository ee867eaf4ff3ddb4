using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Virtigo.Host;

/// <summary>Pairs of connected unix sockets without a name: one end is ours, the other is handed to a child.</summary>
internal static partial class LocalSockets
{
    private const int Unix = 1;
    private const int Stream = 1;
    private const int CloseOnExec = 0x80000;
    private const int SetDescriptorFlags = 2;
    private const int DescriptorClosesOnExec = 1;

    /// <summary>A pair that carries bytes.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when there is none to be had.</exception>
    public static (Socket Ours, Socket Theirs) StreamPair()
    {
        Span<int> ends = stackalloc int[2];
        if (MakePair(Unix, Stream | CloseOnExec, 0, ref ends[0]) != 0)
        {
            throw new VirtigoException(FailureKind.Host,
                "No pair of sockets can be made: " + new Win32Exception(Marshal.GetLastPInvokeError()).Message);
        }

        return (Own(ends[0]), Own(ends[1]));
    }

    /// <summary>Says whether a descriptor stays open in a program that is started now.</summary>
    /// <exception cref="IOException">It cannot be said of this one.</exception>
    internal static void SetInherited(SafeHandle handle, bool inherited)
    {
        bool held = false;
        try
        {
            handle.DangerousAddRef(ref held);
            if (Control((int)handle.DangerousGetHandle(), SetDescriptorFlags, inherited ? 0 : DescriptorClosesOnExec) != 0)
            {
                throw new IOException("A descriptor cannot be handed on: " + new Win32Exception(Marshal.GetLastPInvokeError()).Message);
            }
        }
        finally
        {
            if (held)
            {
                handle.DangerousRelease();
            }
        }
    }

    private static Socket Own(int descriptor) => new(new SafeSocketHandle(descriptor, ownsHandle: true));

    // Safe: the last argument is room for exactly the two descriptors that the call writes.
    [LibraryImport("libc", EntryPoint = "socketpair", SetLastError = true)]
    private static partial int MakePair(int domain, int type, int protocol, ref int ends);

    // Safe: integers only; the caller holds the descriptor open meanwhile.
    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int descriptor, int command, int value);
}
