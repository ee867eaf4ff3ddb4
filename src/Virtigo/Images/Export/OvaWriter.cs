using System.Formats.Tar;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Images;

/// <summary>
/// Packs an OVA, the single file of OVF 1.0 (DMTF DSP0243): the description first, then the manifest with the hashes, then the disk. Nothing in it
/// depends on the time or the place of its making.
/// </summary>
internal static class OvaWriter
{
    private const int BufferSize = 1 << 20;

    // The number of eleven octal digits that the older header has room for.
    private const long MostOldBytes = (8L << 30) - 1;

    /// <summary>Writes the file.</summary>
    /// <param name="target">The OVA; must not exist.</param>
    /// <param name="name">The beginning of the names within.</param>
    /// <param name="shape">The machine.</param>
    /// <param name="diskPaths">The disks as streamOptimized vmdk, in their order.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public static async Task WriteAsync(string target, string name, MachineShape shape, IReadOnlyList<string> diskPaths, CancellationToken cancellationToken)
    {
        (string Name, string Path)[] disks = [.. diskPaths.Index().Select(disk => (string.Create(CultureInfo.InvariantCulture, $"{name}-disk{disk.Index + 1}.vmdk"), disk.Item))];
        byte[] descriptor = Encoding.UTF8.GetBytes(OvfDescriptor.Write(shape, [.. disks.Select(disk => (disk.Name, new FileInfo(disk.Path).Length))]));
        string sums = Line(name + ".ovf", HashData(descriptor));
        foreach ((string diskName, string path) in disks)
        {
            await using FileStream disk = Open(path);
            sums += Line(diskName, await HashDataAsync(disk, cancellationToken));
        }

        await using FileStream file = new(target, FileMode.CreateNew, FileAccess.Write, FileShare.None, BufferSize);
        await using TarWriter tar = new(file, TarEntryFormat.Ustar);
        await AddAsync(tar, name + ".ovf", new MemoryStream(descriptor), cancellationToken);
        await AddAsync(tar, name + ".mf", new MemoryStream(Encoding.ASCII.GetBytes(sums)), cancellationToken);
        foreach ((string diskName, string path) in disks)
        {
            await using FileStream disk = Open(path);
            await AddAsync(tar, diskName, disk, cancellationToken);
        }
    }

    private static FileStream Open(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.Read, BufferSize, FileOptions.SequentialScan);

    private static string Line(string name, byte[] hash) => string.Create(CultureInfo.InvariantCulture, $"SHA1({name})= {Convert.ToHexStringLower(hash)}\n");

    private static Task AddAsync(TarWriter tar, string name, Stream content, CancellationToken cancellationToken)
    {
        TarEntry entry = content.Length <= MostOldBytes
            ? new UstarTarEntry(TarEntryType.RegularFile, name)
            : new PaxTarEntry(TarEntryType.RegularFile, name);
        entry.ModificationTime = DateTimeOffset.UnixEpoch;
        entry.Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        entry.DataStream = content;
        return tar.WriteEntryAsync(entry, cancellationToken);
    }

#pragma warning disable CA5350 // OVF 1.0 knows no other hash in its manifest; it finds errors of transport. SHA256SUMS is for trust.
    private static byte[] HashData(byte[] content) => SHA1.HashData(content);

    private static ValueTask<byte[]> HashDataAsync(Stream content, CancellationToken cancellationToken) => SHA1.HashDataAsync(content, cancellationToken);
#pragma warning restore CA5350
}
