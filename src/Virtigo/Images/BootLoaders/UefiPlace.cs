using System.Buffers.Binary;

namespace Virtigo.Images;

/// <summary>Where a UEFI that remembers nothing finds a program to start.</summary>
internal static class UefiPlace
{
    /// <summary>The removable path of a 64-bit PC.</summary>
    public const string Path = "/EFI/BOOT/BOOTX64.EFI";

    private const ushort Machine64 = 0x8664;

    /// <summary>Whether these bytes begin as a program for it.</summary>
    public static bool IsProgram(ReadOnlySpan<byte> program)
    {
        if (program.Length < 0x100 || !program.StartsWith("MZ"u8))
        {
            return false;
        }

        int header = BinaryPrimitives.ReadInt32LittleEndian(program[0x3C..]);
        return header >= 0x40 && header <= program.Length - 8 && program.Slice(header, 4).SequenceEqual("PE\0\0"u8)
            && BinaryPrimitives.ReadUInt16LittleEndian(program[(header + 4)..]) == Machine64;
    }
}
