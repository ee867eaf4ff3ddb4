using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Virtigo.Host;

/// <summary>What .NET does not offer about files: durability of folders and space really allocated.</summary>
internal static partial class DiskFile
{
    private const int OpenCloseOnExec = 0x80000;
    private const int CurrentFolder = -100;
    private const uint WantBlocks = 0x400;
    private const uint WantType = 1;
    private const int TypeMask = 0xF000;
    private const int RegularFile = 0x8000;
    private const int BlockSize = 512;

    /// <summary>Waits until a file's content is on its storage.</summary>
    public static void Flush(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.FlushToDisk(file);
    }

    /// <summary>Waits until the names in a folder are on its storage, so that a rename survives a power cut.</summary>
    public static void FlushFolder(string path)
    {
        using SafeFileHandle folder = OpenFolder(path, OpenCloseOnExec);
        if (folder.IsInvalid || SynchroniseFile(folder) != 0)
        {
            throw new IOException($"cannot flush the folder {path}", new Win32Exception(Marshal.GetLastPInvokeError()));
        }
    }

    /// <summary>The bytes a file takes on its storage; less than its length when it is sparse.</summary>
    public static long AllocatedBytes(string path)
    {
        if (StatX(CurrentFolder, path, 0, WantBlocks, out ExtendedStatus status) != 0)
        {
            throw new IOException($"cannot read the size of {path}", new Win32Exception(Marshal.GetLastPInvokeError()));
        }

        return checked((long)status.Blocks * BlockSize);
    }

    /// <summary>Whether a path, links followed, names a file and not a device, a pipe or a folder.</summary>
    public static bool IsRegular(string path)
    {
        if (StatX(CurrentFolder, path, 0, WantType, out ExtendedStatus status) != 0)
        {
            throw new IOException($"cannot look at {path}", new Win32Exception(Marshal.GetLastPInvokeError()));
        }

        return (status.Mode & TypeMask) == RegularFile;
    }

    /// <summary>The bytes an ordinary user may still write below a folder; the nearest existing parent is asked.</summary>
    public static long FreeBytes(string path)
    {
        string? folder = Path.GetFullPath(path);
        while (folder is not null && !Directory.Exists(folder))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return new DriveInfo(folder ?? "/").AvailableFreeSpace;
    }

    // Safe: the path is marshalled for the length of the call; the returned descriptor is owned by the handle.
    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle OpenFolder(string path, int flags);

    // Safe: the handle is kept alive by the marshaller for the length of the call, and fsync touches no memory of ours.
    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SynchroniseFile(SafeFileHandle file);

    // Safe: the kernel writes at most the 256 bytes that the structure declares; its layout is the same on every architecture.
    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int folder, string path, int flags, uint mask, out ExtendedStatus status);

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct ExtendedStatus
    {
        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(48)]
        public ulong Blocks;
    }
}
