namespace Virtigo.Machines;

/// <summary>What an entry of a tar archive is.</summary>
internal enum TarKind
{
    /// <summary>A regular file.</summary>
    File,

    /// <summary>A folder.</summary>
    Folder,

    /// <summary>A symbolic link.</summary>
    Symlink,

    /// <summary>Another name of an earlier file.</summary>
    HardLink,

    /// <summary>A device, pipe or something else that no file of ours may become.</summary>
    Special,
}

/// <summary>One entry of a tar archive, as a guest describes it: nothing of it is to be trusted.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Mode">Its permission bits.</param>
/// <param name="Size">The bytes of content that follow in the archive.</param>
/// <param name="Modified">When its content was changed.</param>
/// <param name="Target">Of links: where they lead.</param>
/// <param name="SparseSize">Of a sparse file, whose content begins with a map: its real size; else null.</param>
internal sealed record TarEntryHeader(string Name, TarKind Kind, int Mode, long Size, DateTimeOffset Modified, string Target, long? SparseSize);
