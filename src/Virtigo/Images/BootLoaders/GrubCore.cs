using System.Buffers.Binary;
using System.Formats.Tar;
using System.Text;
using SharpCompress.Common;
using SharpCompress.Compressors.LZMA;

namespace Virtigo.Images;

/// <summary>What a core of GRUB carries: the same for every firmware.</summary>
/// <param name="Prefix">Where it looks for the rest of itself.</param>
/// <param name="Config">The commands that it runs first; null when there are none.</param>
/// <param name="Carried">The configuration on the memory disk that it carries; null when there is none.</param>
/// <param name="Modules">The modules that it contains.</param>
internal sealed record GrubCore(string Prefix, string? Config, string? Carried, IReadOnlySet<string> Modules)
{
    private const uint ModuleMagic = 0x676D696D;
    private const int MostModules = 1000;
    private const int MostTextBytes = 1 << 20;
    private const int MostPlainBytes = 32 << 20;
    private const int Sector = 512;
    private const int SmallestDecompressor = 0x400;
    private const int LargestDecompressor = 0x2000;
    private const int ElfObject = 0;
    private const int MemoryDisk = 1;
    private const int EmbeddedConfig = 2;
    private const int EmbeddedPrefix = 3;

    /// <summary>How GRUB has its core packed for a BIOS: LZMA with these properties and a window of 64 KiB.</summary>
    private static readonly byte[] s_properties = [3 + (9 * (0 + (5 * 2))), 0, 0, 1, 0];

    /// <summary>Unpacks a core as it lies on a disk for a BIOS, or null when that cannot be done: it is damaged, or not one.</summary>
    public static GrubCore? FromBios(ReadOnlySpan<byte> core)
    {
        if (core.Length < 2 * Sector)
        {
            return null;
        }

        long packed = BinaryPrimitives.ReadUInt32LittleEndian(core[(Sector + 8)..]);
        long plain = BinaryPrimitives.ReadUInt32LittleEndian(core[(Sector + 12)..]);
        if (packed is 0 or > MostPlainBytes || plain is 0 or > MostPlainBytes)
        {
            return null;
        }

        // How long the unpacking code is nothing says; what follows it begins with a zero, and unpacks to the right length only from its beginning.
        byte[] bytes = core.ToArray();
        for (int at = Sector + SmallestDecompressor; at < Math.Min(Sector + LargestDecompressor, bytes.Length - 16); at++)
        {
            if (bytes[at] == 0 && at % 4 == 0 && at + packed <= bytes.Length && Unpack(bytes, at, packed, plain) is { } unpacked
                && Parse(unpacked, wide: false) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    /// <summary>Reads a core within a program for UEFI; null when it is not GRUB.</summary>
    public static GrubCore? FromUefi(ReadOnlySpan<byte> program) => Parse(program, wide: true);

    private static byte[]? Unpack(byte[] bytes, int at, long packed, long plain)
    {
        byte[] unpacked = new byte[plain];
        try
        {
            using var source = new MemoryStream(bytes, at, (int)packed, writable: false);
            using var stream = LzmaStream.Create(s_properties, source, packed, plain);
            stream.ReadExactly(unpacked);
            return unpacked;
        }
        catch (Exception error) when (error is SharpCompressException or InvalidDataException or EndOfStreamException or IndexOutOfRangeException
            or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>The list of modules begins with a magic number and its own length: in words of 4 bytes, or of 8 for UEFI.</summary>
    private static GrubCore? Parse(ReadOnlySpan<byte> core, bool wide)
    {
        int head = wide ? 24 : 12;
        for (int at = 0; at + head <= core.Length; at += 4)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(core[at..]) == ModuleMagic)
            {
                ulong offset = wide ? BinaryPrimitives.ReadUInt64LittleEndian(core[(at + 8)..]) : BinaryPrimitives.ReadUInt32LittleEndian(core[(at + 4)..]);
                ulong size = wide ? BinaryPrimitives.ReadUInt64LittleEndian(core[(at + 16)..]) : BinaryPrimitives.ReadUInt32LittleEndian(core[(at + 8)..]);
                ulong left = (ulong)(core.Length - at);
                if (offset >= (ulong)head && offset < size && size <= left && Walk(core.Slice(at + (int)offset, (int)(size - offset))) is { } found)
                {
                    return found;
                }
            }
        }

        return null;
    }

    private static GrubCore? Walk(ReadOnlySpan<byte> list)
    {
        (string? prefix, string? config, string? carried) = (null, null, null);
        var modules = new HashSet<string>(StringComparer.Ordinal);
        for (int count = 0; list.Length >= 8 && count < MostModules; count++)
        {
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(list);
            uint size = BinaryPrimitives.ReadUInt32LittleEndian(list[4..]);
            if (size < 8 || size > list.Length)
            {
                break;
            }

            ReadOnlySpan<byte> content = list[8..(int)size];
            switch (type)
            {
                case ElfObject:
                    modules.Add(ElfModule.Name(content) ?? "");
                    break;
                case MemoryDisk:
                    carried = ReadArchive(content);
                    break;
                case EmbeddedConfig:
                    config = TextOf(content);
                    break;
                case EmbeddedPrefix:
                    prefix = TextOf(content);
                    break;
            }

            list = list[(int)size..];
        }

        return prefix is null ? null : new GrubCore(prefix, config, carried, modules);
    }

    private static string TextOf(ReadOnlySpan<byte> content)
    {
        content = content[..Math.Min(content.Length, MostTextBytes)];
        int end = content.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? content : content[..end]);
    }

    private static string? ReadArchive(ReadOnlySpan<byte> content)
    {
        try
        {
            using var reader = new TarReader(new MemoryStream(content.ToArray(), writable: false));
            for (int count = 0; count < MostModules && reader.GetNextEntry() is { } entry; count++)
            {
                if (entry.Name.EndsWith("grub.cfg", StringComparison.Ordinal) && entry.DataStream is { Length: <= MostTextBytes } data)
                {
                    byte[] bytes = new byte[data.Length];
                    data.ReadExactly(bytes);
                    return Encoding.UTF8.GetString(bytes);
                }
            }
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or OverflowException)
        {
            // What it carries is no archive, or a damaged one: then no configuration is on it.
        }

        return null;
    }
}
