namespace Virtigo.Archives;

/// <summary>What an entry of a package is.</summary>
internal enum DebEntryType
{
    /// <summary>A file with content.</summary>
    File,

    /// <summary>A folder.</summary>
    Directory,

    /// <summary>A symbolic link.</summary>
    SymbolicLink,

    /// <summary>Another name of a file earlier in the package.</summary>
    HardLink,

    /// <summary>A character device.</summary>
    CharacterDevice,

    /// <summary>A block device.</summary>
    BlockDevice,

    /// <summary>A named pipe.</summary>
    Fifo,
}

/// <summary>A file, folder or link in a package.</summary>
/// <param name="Path">Its path from the root, without a leading slash or dot, as <c>usr/bin/true</c>.</param>
/// <param name="Type">What it is.</param>
/// <param name="Mode">Its permissions.</param>
internal sealed record DebEntry(string Path, DebEntryType Type, UnixFileMode Mode)
{
    /// <summary>Where a link points: any text for a symbolic link, a path as <see cref="Path"/> for a hard link.</summary>
    public string? LinkTarget { get; init; }

    /// <summary>The content's size in bytes.</summary>
    public long Size { get; init; }

    /// <summary>The content of a file; when read from a package, valid until the next entry is asked for.</summary>
    public Stream? Content { get; init; }

    /// <summary>When it was last changed.</summary>
    public DateTimeOffset Modified { get; init; } = DateTimeOffset.UnixEpoch;

    /// <summary>The owner's number.</summary>
    public int UserId { get; init; }

    /// <summary>The group's number.</summary>
    public int GroupId { get; init; }

    /// <summary>A device's major number.</summary>
    public int DeviceMajor { get; init; }

    /// <summary>A device's minor number.</summary>
    public int DeviceMinor { get; init; }
}
