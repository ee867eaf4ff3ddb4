namespace Virtigo.Images;

/// <summary>A part of a disk, read within its bounds and with a limit on how often: no structure on it can make a reader run for ever.</summary>
/// <param name="disk">The disk.</param>
/// <param name="start">Where the part begins, in bytes.</param>
/// <param name="length">How long it is, in bytes.</param>
internal sealed class DiskRange(DiskContent disk, long start, long length)
{
    /// <summary>More than any sound file system of an appliance needs.</summary>
    private const int MostReads = 50_000_000;
    private int _reads;

    /// <summary>The length in bytes.</summary>
    public long Length { get; } = Math.Clamp(disk.Length - start, 0, length);

    /// <summary>Whether so many bytes from an offset lie within.</summary>
    public bool Has(long offset, long count) => offset >= 0 && count >= 0 && offset <= Length && count <= Length - offset;

    /// <summary>Reads bytes; a place outside is the fault of whatever named it.</summary>
    public void Read(long offset, Span<byte> buffer)
    {
        if (!Has(offset, buffer.Length))
        {
            throw new DamagedDiskException("it points outside itself");
        }

        if (++_reads > MostReads)
        {
            throw new DamagedDiskException("reading it does not come to an end");
        }

        disk.Read(start + offset, buffer);
    }
}

/// <summary>What a guest wrote to its disk is not what its format demands.</summary>
internal sealed class DamagedDiskException(string message) : Exception(message);
