using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Images;

/// <summary>A file to write into an ISO 9660 image.</summary>
/// <param name="Path">Its path, without a first slash; every name at most 160 bytes.</param>
/// <param name="Length">Its size in bytes.</param>
/// <param name="Open">Opens its content.</param>
internal sealed record IsoContent(string Path, long Length, Func<Stream> Open)
{
    /// <summary>A file of bytes.</summary>
    public static IsoContent Of(string path, byte[] content) => new(path, content.Length, () => new MemoryStream(content, writable: false));

    /// <summary>A file of UTF-8 text.</summary>
    public static IsoContent Of(string path, string text) => Of(path, Encoding.UTF8.GetBytes(text));
}

/// <summary>
/// Writes ISO 9660 images with Rock Ridge names: what a Linux kernel and cloud-init read. Equal content gives equal bytes.
/// </summary>
/// <param name="label">The volume's label: at most 32 characters of ASCII.</param>
/// <param name="largestExtent">The most bytes of one run of a file's content, whole sectors; larger files have several.</param>
internal sealed class IsoWriter(string label, long largestExtent = 0xFFFF_F800)
{
    private const int Sector = IsoImage.Sector;
    private const int MaxNameBytes = 160;
    private const uint PathTableAt = 18;
    private const uint PathTables = 2;
    private const byte FolderFlag = 2;
    private const byte MoreFlag = 0x80;
    private static readonly byte[] s_self = [0];
    private static readonly byte[] s_parent = [1];

    /// <summary>Writes an image.</summary>
    /// <param name="output">Where to; left open.</param>
    /// <param name="files">The files. Folders are made as they are needed.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    /// <exception cref="InvalidDataException">A file does not have the size that was said.</exception>
    public async Task WriteAsync(Stream output, IReadOnlyList<IsoContent> files, CancellationToken cancellationToken)
    {
        if (label.Length > 32 || !Ascii.IsValid(label))
        {
            throw new ArgumentException($"'{label}' is no label of at most 32 characters of ASCII");
        }

        Folder root = Tree(files);
        Folder[] folders = [.. Walk(root)];
        byte[] paths = PathTable(folders);
        uint tableSectors = Sectors(paths.Length);
        uint at = PathTableAt + (PathTables * tableSectors);
        foreach (Folder folder in folders)
        {
            (folder.At, folder.Bytes) = (at, Records(folder).Length);
            at += Sectors(folder.Bytes);
        }

        Entry[] ordered = [.. folders.SelectMany(folder => folder.Files)];
        foreach (Entry file in ordered)
        {
            file.At = at;
            at += Sectors(file.Content.Length);
        }

        await output.WriteAsync(new byte[16 * Sector], cancellationToken);
        await output.WriteAsync(Descriptor(root, at, paths.Length, tableSectors), cancellationToken);
        await output.WriteAsync(Terminator(), cancellationToken);
        for (int table = 0; table < PathTables; table++)
        {
            await output.WriteAsync(Padded(PathTable(folders, bigEndian: table == 1)), cancellationToken);
        }

        foreach (Folder folder in folders)
        {
            await output.WriteAsync(Padded(Records(folder)), cancellationToken);
        }

        foreach (Entry file in ordered)
        {
            await CopyAsync(file.Content, output, cancellationToken);
        }
    }

    private static async Task CopyAsync(IsoContent file, Stream output, CancellationToken cancellationToken)
    {
        await using Stream content = file.Open();
        byte[] buffer = new byte[1 << 18];
        long left = file.Length;
        for (int read; (read = await content.ReadAsync(buffer, cancellationToken)) > 0; left -= read)
        {
            await output.WriteAsync(buffer.AsMemory(0, (int)Math.Min(read, left)), cancellationToken);
            if (read > left)
            {
                left = -1;
                break;
            }
        }

        if (left != 0)
        {
            throw new InvalidDataException($"{file.Path} does not have the {file.Length} bytes that it was said to have.");
        }

        await output.WriteAsync(new byte[(Sector - (file.Length % Sector)) % Sector], cancellationToken);
    }

    private static Folder Tree(IReadOnlyList<IsoContent> files)
    {
        var root = new Folder("", null);
        foreach (IsoContent file in files.OrderBy(file => file.Path, StringComparer.Ordinal))
        {
            string[] parts = file.Path.Split('/');
            if (parts.Any(part => part is "" or "." or ".." || Encoding.UTF8.GetByteCount(part) > MaxNameBytes))
            {
                throw new ArgumentException($"'{file.Path}' is no path that an image can have", nameof(files));
            }

            Folder at = root;
            foreach (string part in parts[..^1])
            {
                Folder? next = at.Folders.Find(folder => folder.Name == part);
                if (next is null)
                {
                    at.Folders.Add(next = new Folder(part, at));
                }

                at = next;
            }

            at.Files.Add(new Entry(parts[^1], file));
        }

        return root;
    }

    private static IEnumerable<Folder> Walk(Folder root)
    {
        var waiting = new Queue<Folder>([root]);
        while (waiting.TryDequeue(out Folder? folder))
        {
            yield return folder;
            folder.Folders.ForEach(waiting.Enqueue);
        }
    }

    private static byte[] PathTable(Folder[] folders, bool bigEndian = false)
    {
        using var table = new MemoryStream();
        foreach (Folder folder in folders)
        {
            byte[] name = folder.Parent is null ? s_self : Identifier("D", folder.Parent.Folders.IndexOf(folder), "");
            byte[] entry = new byte[8 + name.Length + (name.Length % 2)];
            ushort parent = (ushort)(folder.Parent is null ? 1 : Array.IndexOf(folders, folder.Parent) + 1);
            entry[0] = (byte)name.Length;
            if (bigEndian)
            {
                BinaryPrimitives.WriteUInt32BigEndian(entry.AsSpan(2), folder.At);
                BinaryPrimitives.WriteUInt16BigEndian(entry.AsSpan(6), parent);
            }
            else
            {
                BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(2), folder.At);
                BinaryPrimitives.WriteUInt16LittleEndian(entry.AsSpan(6), parent);
            }

            name.CopyTo(entry, 8);
            table.Write(entry);
        }

        return table.ToArray();
    }

    /// <summary>The short name that the format itself asks for; Rock Ridge has the real one.</summary>
    private static byte[] Identifier(string kind, int index, string ending) =>
        Encoding.ASCII.GetBytes($"{kind}{index.ToString("0000000", System.Globalization.CultureInfo.InvariantCulture)}{ending}");

    private byte[] Records(Folder folder)
    {
        using var records = new MemoryStream();
        void Add(byte[] record)
        {
            int left = Sector - (int)(records.Length % Sector);
            records.Write(new byte[left < record.Length ? left : 0]);
            records.Write(record);
        }

        Add(Record(s_self, folder.At, Rounded(folder.Bytes), FolderFlag, folder.Parent is null ? [.. Support(), .. Mode(isFolder: true)] : Mode(isFolder: true)));
        Folder above = folder.Parent ?? folder;
        Add(Record(s_parent, above.At, Rounded(above.Bytes), FolderFlag, Mode(isFolder: true)));
        for (int index = 0; index < folder.Folders.Count; index++)
        {
            Folder inner = folder.Folders[index];
            Add(Record(Identifier("D", index, ""), inner.At, Rounded(inner.Bytes), FolderFlag, [.. Mode(isFolder: true), .. Name(inner.Name)]));
        }

        for (int index = 0; index < folder.Files.Count; index++)
        {
            Entry file = folder.Files[index];
            long done = 0;
            do
            {
                long bytes = Math.Min(largestExtent, file.Content.Length - done);
                uint at = file.At + (uint)(done / Sector);
                done += bytes;
                Add(Record(Identifier("F", index, ".;1"), at, (uint)bytes, done < file.Content.Length ? MoreFlag : (byte)0, [.. Mode(isFolder: false), .. Name(file.Name)]));
            }
            while (done < file.Content.Length);
        }

        return records.ToArray();
    }

    private static byte[] Record(byte[] identifier, uint at, uint bytes, byte flags, byte[] use)
    {
        int nameEnd = 33 + identifier.Length + (identifier.Length % 2 == 0 ? 1 : 0);
        int length = nameEnd + use.Length;
        byte[] record = new byte[length + (length % 2)];
        record[0] = (byte)record.Length;
        Both(record.AsSpan(2), at);
        Both(record.AsSpan(10), bytes);
        Date().CopyTo(record, 18);
        record[25] = flags;
        Both16(record.AsSpan(28), 1);
        record[32] = (byte)identifier.Length;
        identifier.CopyTo(record, 33);
        use.CopyTo(record, nameEnd);
        return record;
    }

    private static byte[] Support() => [(byte)'S', (byte)'P', 7, 1, 0xBE, 0xEF, 0];

    private static byte[] Name(string name)
    {
        byte[] text = Encoding.UTF8.GetBytes(name);
        return [(byte)'N', (byte)'M', (byte)(5 + text.Length), 1, 0, .. text];
    }

    private static byte[] Mode(bool isFolder)
    {
        byte[] entry = new byte[36];
        "PX"u8.CopyTo(entry);
        (entry[2], entry[3]) = (36, 1);
        Both(entry.AsSpan(4), isFolder ? 0x4000u | 0x16D : 0x8000u | 0x124);
        Both(entry.AsSpan(12), 1);
        return entry;
    }

    private byte[] Descriptor(Folder root, uint sectors, int pathBytes, uint tableSectors)
    {
        byte[] descriptor = new byte[Sector];
        descriptor[0] = 1;
        "CD001"u8.CopyTo(descriptor.AsSpan(1));
        descriptor[6] = 1;
        descriptor.AsSpan(8, 32).Fill((byte)' ');
        Encoding.ASCII.GetBytes(label.PadRight(32)).CopyTo(descriptor, 40);
        Both(descriptor.AsSpan(80), sectors);
        Both16(descriptor.AsSpan(120), 1);
        Both16(descriptor.AsSpan(124), 1);
        Both16(descriptor.AsSpan(128), Sector);
        Both(descriptor.AsSpan(132), (uint)pathBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(140), PathTableAt);
        BinaryPrimitives.WriteUInt32BigEndian(descriptor.AsSpan(148), PathTableAt + tableSectors);
        Record(s_self, root.At, Rounded(root.Bytes), FolderFlag, []).CopyTo(descriptor, 156);
        descriptor.AsSpan(190, 623).Fill((byte)' ');
        foreach (int time in (int[])[813, 830, 847, 864])
        {
            descriptor.AsSpan(time, 16).Fill((byte)'0');
        }

        descriptor[881] = 1;
        return descriptor;
    }

    private static byte[] Terminator()
    {
        byte[] descriptor = new byte[Sector];
        descriptor[0] = 255;
        "CD001"u8.CopyTo(descriptor.AsSpan(1));
        descriptor[6] = 1;
        return descriptor;
    }

    // The first of January 2000, UTC: an image has no time of its own.
    private static byte[] Date() => [100, 1, 1, 0, 0, 0, 0];

    private static byte[] Padded(byte[] bytes)
    {
        Array.Resize(ref bytes, (int)Rounded(bytes.Length));
        return bytes;
    }

    private static uint Rounded(int bytes) => Sectors(bytes) * Sector;

    private static uint Sectors(long bytes) => checked((uint)((bytes + Sector - 1) / Sector));

    private static void Both(Span<byte> at, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(at, value);
        BinaryPrimitives.WriteUInt32BigEndian(at[4..], value);
    }

    private static void Both16(Span<byte> at, ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(at, value);
        BinaryPrimitives.WriteUInt16BigEndian(at[2..], value);
    }

    private sealed class Folder(string name, Folder? parent)
    {
        public string Name => name;

        public Folder? Parent => parent;

        public List<Folder> Folders { get; } = [];

        public List<Entry> Files { get; } = [];

        public uint At { get; set; }

        public int Bytes { get; set; }
    }

    private sealed class Entry(string name, IsoContent content)
    {
        public string Name => name;

        public IsoContent Content => content;

        public uint At { get; set; }
    }
}
