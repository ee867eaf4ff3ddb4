namespace Virtigo.Images;

/// <summary>What a name in an image stands for.</summary>
internal enum ImageEntryKind
{
    File,
    Directory,
    Link,
    Special,
}

/// <summary>A name in an image. The name and the target are the guest's words.</summary>
/// <param name="Path">The path from the image's root; begins with a slash.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Mode">The permissions, with set-user-id and so on: the low 12 bits.</param>
/// <param name="User">The owner's number.</param>
/// <param name="Group">The group's number.</param>
/// <param name="Size">The size in bytes, as the guest says.</param>
/// <param name="Modified">When it was last changed, in seconds since 1970.</param>
/// <param name="Target">What a link points to; null for all else.</param>
internal sealed record ImageEntry(string Path, ImageEntryKind Kind, int Mode, uint User, uint Group, long Size, long Modified, string? Target)
{
    internal FileVolume Volume { get; init; } = null!;

    internal VolumeInode Inode { get; init; } = null!;
}
