using System.Buffers.Binary;
using System.Globalization;
using Virtigo.Host;
using Virtigo.Images;
using Xunit;

namespace Virtigo.Tests.Images;

/// <summary>Makes small disks with partitions and file systems as an ordinary user: <c>mke2fs</c> fills the file systems, we divide the disk.</summary>
internal sealed class DiskMaker(string folder)
{
    public const int MiB = 1 << 20;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A file system with what a folder holds.</summary>
    /// <param name="tree">The folder.</param>
    /// <param name="mebibytes">The size.</param>
    /// <param name="options">For <c>mke2fs</c>.</param>
    public async Task<byte[]> FileSystemAsync(string tree, int mebibytes, params string[] options)
    {
        string file = Path.Combine(folder, Guid.NewGuid().ToString("N"));
        await Tool.RunAsync("mke2fs",
            ["-q", "-F", "-d", tree, "-E", "root_owner=0:0", .. options, file, mebibytes.ToString(CultureInfo.InvariantCulture) + "M"], Token);
        byte[] content = await File.ReadAllBytesAsync(file, Token);
        File.Delete(file);
        return content;
    }

    /// <summary>A disk with the older table: partitions one after the other, or the last ones as logical ones.</summary>
    public static byte[] Divide(int primary, params byte[][] parts)
    {
        int[] places = [.. Places(parts)];
        byte[] disk = Fill(places, parts);
        Sign(disk, 0);
        for (int i = 0; i < Math.Min(primary, parts.Length); i++)
        {
            Entry(disk, 0, i, 0x83, places[i], parts[i].Length);
        }

        if (parts.Length > primary)
        {
            int extended = places[primary] - (MiB / 2);
            Entry(disk, 0, primary, 0x05, extended, disk.Length - extended);
            for (int i = primary; i < parts.Length; i++)
            {
                int at = places[i] - (MiB / 2);
                Sign(disk, at);
                Entry(disk, at, 0, 0x83, MiB / 2, parts[i].Length);
                if (i + 1 < parts.Length)
                {
                    Entry(disk, at, 1, 0x05, places[i + 1] - (MiB / 2) - extended, parts[i + 1].Length + (MiB / 2));
                }
            }
        }

        return disk;
    }

    /// <summary>A disk with a GPT.</summary>
    public static byte[] DivideGpt(params byte[][] parts)
    {
        int[] places = [.. Places(parts)];
        byte[] disk = Fill(places, parts);
        Sign(disk, 0);
        Entry(disk, 0, 0, 0xEE, 512, disk.Length - 512);
        Span<byte> header = disk.AsSpan(512);
        "EFI PART"u8.CopyTo(header);
        BinaryPrimitives.WriteInt64LittleEndian(header[72..], 2);
        BinaryPrimitives.WriteInt32LittleEndian(header[80..], 128);
        BinaryPrimitives.WriteInt32LittleEndian(header[84..], 128);
        for (int i = 0; i < parts.Length; i++)
        {
            Span<byte> entry = disk.AsSpan(1024 + (128 * i));
            entry[..32].Fill(0x5A);
            BinaryPrimitives.WriteInt64LittleEndian(entry[32..], places[i] / 512);
            BinaryPrimitives.WriteInt64LittleEndian(entry[40..], ((places[i] + parts[i].Length) / 512) - 1);
        }

        return disk;
    }

    /// <summary>The disk as qcow2, as the store keeps it.</summary>
    public async Task<string> SealAsync(byte[] disk)
    {
        string raw = Path.Combine(folder, Guid.NewGuid().ToString("N"));
        string sealedDisk = raw + ".qcow2";
        await File.WriteAllBytesAsync(raw, disk, Token);
        await QemuImage.RunAsync(["convert", "-f", "raw", "-O", "qcow2", raw, sealedDisk], "no disk.", null, Token);
        File.Delete(raw);
        return sealedDisk;
    }

    private static IEnumerable<int> Places(byte[][] parts)
    {
        int at = MiB;
        foreach (byte[] part in parts)
        {
            yield return at;
            at += part.Length + MiB;
        }
    }

    private static byte[] Fill(int[] places, byte[][] parts)
    {
        byte[] disk = new byte[places[^1] + parts[^1].Length + MiB];
        for (int i = 0; i < parts.Length; i++)
        {
            parts[i].CopyTo(disk, places[i]);
        }

        return disk;
    }

    private static void Sign(byte[] disk, int at) => (disk[at + 510], disk[at + 511]) = (0x55, 0xAA);

    private static void Entry(byte[] disk, int table, int index, byte type, int offset, int length)
    {
        Span<byte> entry = disk.AsSpan(table + 446 + (16 * index), 16);
        entry[4] = type;
        BinaryPrimitives.WriteInt32LittleEndian(entry[8..], offset / 512);
        BinaryPrimitives.WriteInt32LittleEndian(entry[12..], length / 512);
    }
}
