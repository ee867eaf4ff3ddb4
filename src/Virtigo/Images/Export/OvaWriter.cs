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
    /// <param name="diskPath">The disk as streamOptimized vmdk.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public static async Task WriteAsync(string target, string name, MachineShape shape, string diskPath, CancellationToken cancellationToken)
    {
        await using FileStream disk = new(diskPath, FileMode.Open, FileAccess.Read, FileShare.Read, BufferSize, FileOptions.SequentialScan);
        string diskName = name + "-disk1.vmdk";
        byte[] descriptor = Encoding.UTF8.GetBytes(OvfDescriptor.Write(shape, diskName, disk.Length));
        string sums = Line(name + ".ovf", HashData(descriptor)) + Line(diskName, await HashDataAsync(disk, cancellationToken));
        disk.Position = 0;

        await using FileStream file = new(target, FileMode.CreateNew, FileAccess.Write, FileShare.None, BufferSize);
        await using TarWriter tar = new(file, TarEntryFormat.Ustar);
        await AddAsync(tar, name + ".ovf", new MemoryStream(descriptor), cancellationToken);
        await AddAsync(tar, name + ".mf", new MemoryStream(Encoding.ASCII.GetBytes(sums)), cancellationToken);
        await AddAsync(tar, diskName, disk, cancellationToken);
    }

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
