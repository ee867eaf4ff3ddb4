namespace Virtigo.Images;

/// <summary>How to export an image.</summary>
public sealed record ExportOptions
{
    /// <summary>The format of the exported file.</summary>
    public DiskFormat Format { get; init; } = DiskFormat.Qcow2;

    /// <summary>Compress the exported file: smaller, slower to read. Only for <see cref="DiskFormat.Qcow2"/>; others are always, or never.</summary>
    public bool Compress { get; init; }

    /// <summary>
    /// The size of the exported disk in bytes, at least the image's; null for the image's. An image made with <c>disk: {grow: true}</c> takes
    /// it when it boots.
    /// </summary>
    public long? DiskBytes { get; init; }

    /// <summary>
    /// The name of the disk to export, <see cref="ImageManifest.FirstDiskName"/> for the first; null when there is no other. An
    /// <see cref="DiskFormat.Ova"/> holds them all.
    /// </summary>
    public string? Disk { get; init; }

    /// <summary>Replace the file if there is one.</summary>
    public bool Force { get; init; }

    /// <summary>Write the file's SHA-256 into <c>SHA256SUMS</c> beside it; lines of other files in it stay.</summary>
    public bool Sums { get; init; }

    /// <summary>
    /// A command line of the user's, run by the shell with <c>SHA256SUMS</c> as last argument, that writes a signature beside that file; null
    /// for none. It implies <see cref="Sums"/>.
    /// </summary>
    public string? SignCommand { get; init; }
}

/// <summary>What an export made.</summary>
/// <param name="Path">The exported file.</param>
/// <param name="Bytes">Its length in bytes.</param>
/// <param name="Sha256">Its SHA-256, when sums were asked for.</param>
/// <param name="Beside">The files made or changed beside it: sums and signatures.</param>
public sealed record ImageExport(string Path, long Bytes, string? Sha256, IReadOnlyList<string> Beside);
