namespace Virtigo.Images;

/// <summary>A file or folder of an ISO 9660 image.</summary>
/// <param name="Name">Its name, as people know it.</param>
/// <param name="IsFolder">Whether it is a folder.</param>
/// <param name="Extents">Where its content is, in order.</param>
internal sealed record IsoFile(string Name, bool IsFolder, IReadOnlyList<IsoExtent> Extents)
{
    /// <summary>The size of the content in bytes.</summary>
    public long Size => Extents.Sum(extent => extent.Bytes);
}

/// <summary>A run of content in an ISO 9660 image.</summary>
/// <param name="Offset">Where it begins, in bytes from the image's start.</param>
/// <param name="Bytes">Its length.</param>
internal sealed record IsoExtent(long Offset, long Bytes);
