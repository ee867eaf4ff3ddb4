using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Virtigo.Images;

/// <summary>A disk that is a file as it stands, holes and all.</summary>
internal sealed partial class RawDisk : DiskContent
{
    private const int SeekData = 3;
    private const int NoSuchPlace = 6;
    private const int SectorBytes = 512;
    private readonly SafeFileHandle _file;

    /// <summary>Opens a file. What is beyond its last whole sector no guest sees.</summary>
    public RawDisk(string path)
    {
        _file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        Length = RandomAccess.GetLength(_file) / SectorBytes * SectorBytes;
    }

    /// <inheritdoc/>
    public override long Length { get; }

    /// <inheritdoc/>
    public override void Read(long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(buffer.Length, Length - offset);
        for (int done = 0; done < buffer.Length;)
        {
            int count = RandomAccess.Read(_file, buffer[done..], offset + done);
            done += count > 0 ? count : throw new IOException("the file was cut off while it was read");
        }
    }

    /// <inheritdoc/>
    public override long NextData(long offset)
    {
        if (offset >= Length)
        {
            return Length;
        }

        long found = Seek(_file, offset, SeekData);
        return found >= 0 ? Math.Min(found, Length) : Marshal.GetLastPInvokeError() == NoSuchPlace ? Length : offset;
    }

    /// <inheritdoc/>
    public override void Dispose() => _file.Dispose();

    // Safe: the handle is kept alive by the marshaller for the length of the call; the position of the descriptor is used by nobody.
    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long Seek(SafeFileHandle file, long offset, int whence);
}
