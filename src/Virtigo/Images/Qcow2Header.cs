using System.Buffers.Binary;

namespace Virtigo.Images;

/// <summary>What the first bytes of a qcow2 file say.</summary>
/// <param name="VirtualBytes">The size that a guest sees, in bytes.</param>
/// <param name="IsSelfContained">Whether the file needs no other file: no backing file, no external data file.</param>
internal sealed record Qcow2Header(long VirtualBytes, bool IsSelfContained)
{
    private const uint Magic = 0x514649FB;
    private const int ShortLength = 72;
    private const int FullLength = 104;
    private const ulong ExternalDataFile = 1UL << 2;

    /// <summary>Reads a file's header.</summary>
    /// <exception cref="VirtigoException">The file is missing or is not qcow2.</exception>
    public static Qcow2Header Read(string path)
    {
        byte[] start = new byte[FullLength];
        int count;
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            count = file.ReadAtLeast(start, FullLength, throwOnEndOfStream: false);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Host, $"The disk {path} cannot be read: {error.Message}", null, error);
        }

        return Parse(start.AsSpan(0, count))
            ?? throw new VirtigoException(FailureKind.Host, $"The file {path} is not a qcow2 disk.");
    }

    /// <summary>Reads a header from the first bytes of a file.</summary>
    /// <returns>The header, or null when these bytes are not one.</returns>
    public static Qcow2Header? Parse(ReadOnlySpan<byte> start)
    {
        if (start.Length < ShortLength || BinaryPrimitives.ReadUInt32BigEndian(start) != Magic)
        {
            return null;
        }

        uint version = BinaryPrimitives.ReadUInt32BigEndian(start[4..]);
        ulong backing = BinaryPrimitives.ReadUInt64BigEndian(start[8..]);
        ulong size = BinaryPrimitives.ReadUInt64BigEndian(start[24..]);
        if (version is not (2 or 3) || size is 0 or > long.MaxValue || (version == 3 && start.Length < FullLength))
        {
            return null;
        }

        ulong incompatible = version == 3 ? BinaryPrimitives.ReadUInt64BigEndian(start[72..]) : 0;
        return new Qcow2Header((long)size, backing == 0 && (incompatible & ExternalDataFile) == 0);
    }
}
