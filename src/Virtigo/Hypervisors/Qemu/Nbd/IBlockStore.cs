namespace Virtigo.Hypervisors.Qemu.Nbd;

/// <summary>
/// The bytes of a disk. Ranges lie within <see cref="Size"/>. Not for several callers at once. A failure is an <see cref="IOException"/>;
/// an <see cref="NbdException"/> says why.
/// </summary>
internal interface IBlockStore
{
    /// <summary>The size in bytes.</summary>
    long Size { get; }

    /// <summary>Reads a range, whole.</summary>
    Task ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>Writes a range.</summary>
    /// <param name="offset">Where.</param>
    /// <param name="data">What; nobody changes these bytes any more.</param>
    /// <param name="cancellationToken">Ends the wait; the range may have been written.</param>
    Task WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Makes a range read as zeros; it may take no space then.</summary>
    Task ZeroAsync(long offset, long length, CancellationToken cancellationToken);

    /// <summary>Returns when everything written is where it outlives a power cut.</summary>
    Task FlushAsync(CancellationToken cancellationToken);
}
