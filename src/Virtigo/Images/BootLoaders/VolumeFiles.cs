using System.Text;

namespace Virtigo.Images;

/// <summary>A file on a volume, as a boot loader finds it: within the one file system, which knows nothing of mounts.</summary>
/// <param name="Path">Where it is, links followed.</param>
/// <param name="Size">Its size in bytes: a guest's word.</param>
internal abstract record VolumeFile(string Path, long Size)
{
    /// <summary>The content, at most so many bytes of it; null when it is longer.</summary>
    public abstract byte[]? Read(int limit);
}

/// <summary>Finds files on one file system by their path.</summary>
internal interface IVolumeFiles
{
    /// <summary>The file of a path, symbolic links followed; null when there is none.</summary>
    VolumeFile? File(string path);

    /// <summary>The names in a folder; empty when there is none.</summary>
    IReadOnlyList<string> Names(string folder);
}

/// <summary>The files of a file system that can be read here.</summary>
internal sealed class VolumeFiles(FileVolume volume) : IVolumeFiles
{
    /// <inheritdoc/>
    public VolumeFile? File(string path) => Resolve(path) is { IsFile: true } inode ? new Content(volume, inode, path) : null;

    /// <inheritdoc/>
    public IReadOnlyList<string> Names(string folder) =>
        Resolve(folder) is { IsDirectory: true } inode ? [.. volume.Entries(inode).Select(entry => GuestName.Text(entry.Name))] : [];

    private VolumeInode? Resolve(string path) => GuestPath.Follow(volume.Inode(volume.Root), path, volume.Named,
        inode => inode.IsLink ? Encoding.UTF8.GetString(volume.Target(inode)) : null);

    private sealed record Content(FileVolume Volume, VolumeInode Inode, string At) : VolumeFile(At, Inode.Size)
    {
        public override byte[]? Read(int limit)
        {
            if (Size > limit)
            {
                return null;
            }

            using var content = new MemoryStream();
            Volume.Copy(Inode, content, CancellationToken.None);
            return content.ToArray();
        }
    }
}
