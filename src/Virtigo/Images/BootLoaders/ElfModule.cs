using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Images;

/// <summary>A module of GRUB: an ELF object of 32 or 64 bits with its name in a section.</summary>
internal static class ElfModule
{
    private const int MostSections = 256;
    private const int MostName = 64;

    /// <summary>Its name; null when it is none.</summary>
    public static string? Name(ReadOnlySpan<byte> module)
    {
        if (module.Length < 64 || !module.StartsWith("\u007fELF"u8) || module[5] != 1)
        {
            return null;
        }

        bool wide = module[4] == 2;
        ulong table = Word(module, wide ? 40 : 32, wide);
        int size = BinaryPrimitives.ReadUInt16LittleEndian(module[(wide ? 58 : 46)..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(module[(wide ? 60 : 48)..]);
        int names = BinaryPrimitives.ReadUInt16LittleEndian(module[(wide ? 62 : 50)..]);
        if (size < (wide ? 64 : 40) || count > MostSections || names >= count || table > (ulong)module.Length || (ulong)(size * count) > (ulong)module.Length - table)
        {
            return null;
        }

        ReadOnlySpan<byte> strings = Content(module, (int)table + (names * size), wide);
        for (int i = 0; i < count; i++)
        {
            int section = (int)table + (i * size);
            uint at = BinaryPrimitives.ReadUInt32LittleEndian(module[section..]);
            if (at < strings.Length && strings[(int)at..].StartsWith(".modname\0"u8))
            {
                ReadOnlySpan<byte> name = Content(module, section, wide);
                int end = name.IndexOf((byte)0);
                return end is > 0 and <= MostName ? Encoding.ASCII.GetString(name[..end]) : null;
            }
        }

        return null;
    }

    private static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> module, int section, bool wide)
    {
        ulong offset = Word(module, section + (wide ? 24 : 16), wide);
        ulong size = Word(module, section + (wide ? 32 : 20), wide);
        return offset <= (ulong)module.Length && size <= (ulong)module.Length - offset ? module.Slice((int)offset, (int)size) : [];
    }

    private static ulong Word(ReadOnlySpan<byte> bytes, int at, bool wide) =>
        wide ? BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]) : BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
}
