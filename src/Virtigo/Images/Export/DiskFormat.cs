namespace Virtigo.Images;

/// <summary>The format of an exported file.</summary>
public enum DiskFormat
{
    /// <summary>QEMU's format: grows as it is written, can be compressed.</summary>
    Qcow2,

    /// <summary>The bytes of the disk as they are, with holes where nothing was written.</summary>
    Raw,

    /// <summary>VMware's format, in its compressed form for transport (<c>streamOptimized</c>).</summary>
    Vmdk,

    /// <summary>VirtualBox's format; it grows as it is written.</summary>
    Vdi,

    /// <summary>Hyper-V's format; it grows as it is written.</summary>
    Vhdx,

    /// <summary>A whole machine in one file: its description (OVF 1.0), the disk as <see cref="Vmdk"/>, and their hashes.</summary>
    Ova,

    /// <summary>The bytes of the disk, compressed with zstd.</summary>
    RawZst,

    /// <summary>The bytes of the disk, compressed with xz: smaller than zstd's, and much slower to make.</summary>
    RawXz,
}

/// <summary>The formats by the names and the endings of files that people use for them.</summary>
public static class DiskFormats
{
    private static readonly (DiskFormat Format, string Name, string Ending)[] s_all =
    [
        (DiskFormat.Qcow2, "qcow2", ".qcow2"),
        (DiskFormat.Raw, "raw", ".raw"),
        (DiskFormat.Vmdk, "vmdk", ".vmdk"),
        (DiskFormat.Vdi, "vdi", ".vdi"),
        (DiskFormat.Vhdx, "vhdx", ".vhdx"),
        (DiskFormat.Ova, "ova", ".ova"),
        (DiskFormat.RawZst, "raw.zst", ".zst"),
        (DiskFormat.RawXz, "raw.xz", ".xz"),
    ];

    /// <summary>The names, such as <c>qcow2</c> and <c>raw.zst</c>.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. s_all.Select(one => one.Name)];

    /// <summary>The name of a format.</summary>
    /// <param name="format">The format.</param>
    public static string NameOf(DiskFormat format) => s_all.First(one => one.Format == format).Name;

    /// <summary>The format with a name, or null.</summary>
    /// <param name="name">The name.</param>
    public static DiskFormat? Named(string name) => s_all.Where(one => one.Name == name).Select(one => (DiskFormat?)one.Format).FirstOrDefault();

    /// <summary>The format that the ending of a file's name means, <c>.img</c> being raw; null when it means none.</summary>
    /// <param name="path">The file's name.</param>
    public static DiskFormat? ForFile(string path)
    {
        string ending = Path.GetExtension(path).ToLowerInvariant();
        return ending == ".img" ? DiskFormat.Raw : s_all.Where(one => one.Ending == ending).Select(one => (DiskFormat?)one.Format).FirstOrDefault();
    }

    /// <summary>What <c>qemu-img</c> calls a disk of a format; null for what it does not write.</summary>
    internal static string? Driver(DiskFormat format) => format switch
    {
        DiskFormat.Qcow2 => "qcow2",
        DiskFormat.Raw => "raw",
        DiskFormat.Vmdk or DiskFormat.Ova => "vmdk",
        DiskFormat.Vdi => "vdi",
        DiskFormat.Vhdx => "vhdx",
        _ => null,
    };
}
