using System.Globalization;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Images;

/// <summary>Makes disks with one file system, filled by <c>mkfs</c> as an ordinary user.</summary>
internal sealed class VolumeMaker(string folder)
{
    private const int Sector = 512;
    private const int StartSector = 2048;

    // XFS is not made smaller than 300 MiB; LVM counts in 4.
    private const long Bytes = 320L << 20;

    /// <summary>Where the partition begins, in bytes.</summary>
    public const int Start = StartSector * Sector;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A raw disk.</summary>
    /// <param name="tree">What is on the file system.</param>
    /// <param name="mkfs">The program that makes it and its options, with a space between them.</param>
    /// <param name="logical">Whether it is on a logical volume, and not on the partition itself.</param>
    public async Task<string> DiskAsync(string tree, string mkfs, bool logical = false)
    {
        string system = await SystemAsync(tree, mkfs);
        int head = logical ? PhysicalVolume.ContentAt : 0;
        string disk = await new BootImageMaker(folder).DiskAsync("dos", Sector, (StartSector, (int)((Bytes + head) / Sector), "83", null));
        if (logical)
        {
            BootImageMaker.Write(disk, Start, PhysicalVolume.Head(Bytes));
        }

        await Tool.RunAsync("dd", ["if=" + system, "of=" + disk, "bs=64k", "oflag=seek_bytes", string.Create(CultureInfo.InvariantCulture, $"seek={Start + head}"),
            "conv=notrunc,sparse", "status=none"], Token);
        File.Delete(system);
        return disk;
    }

    /// <summary>The file system alone, in a file.</summary>
    /// <param name="tree">What is on it.</param>
    /// <param name="mkfs">The program that makes it and its options, with a space between them.</param>
    public async Task<string> SystemAsync(string tree, string mkfs)
    {
        string system = Path.Combine(folder, Guid.NewGuid().ToString("N"));
        await using (FileStream file = File.Create(system))
        {
            file.SetLength(Bytes);
        }

        string[] words = mkfs.Split(' ');
        if (words[0] == "mkfs.xfs")
        {
            string list = system + ".list";
            await File.WriteAllTextAsync(list, $"none\n0 0\n{Described(new DirectoryInfo(tree))}", Token);
            await Tool.RunAsync(words[0], ["-q", "-f", .. words[1..], "-p", list, system], Token);
        }
        else
        {
            await Tool.RunAsync(words[0], ["-q", .. words[1..], "--rootdir", tree, system], Token);
        }

        return system;
    }

    /// <summary>A folder as <c>mkfs.xfs</c> is told of it: names have no spaces.</summary>
    private static string Described(DirectoryInfo folder) => $"d--755 0 0\n{string.Concat(folder.EnumerateFileSystemInfos().Select(Described))}$\n";

    private static string Described(FileSystemInfo one) => one switch
    {
        { LinkTarget: { } target } => $"{one.Name} l--777 0 0 {target}\n",
        DirectoryInfo below => $"{one.Name} {Described(below)}",
        _ => string.Create(CultureInfo.InvariantCulture,
            $"{one.Name} -{(one.UnixFileMode.HasFlag(UnixFileMode.SetUser) ? 'u' : '-')}-{Convert.ToString((int)one.UnixFileMode & 0x1FF, 8)} 0 0 {one.FullName}\n"),
    };
}
