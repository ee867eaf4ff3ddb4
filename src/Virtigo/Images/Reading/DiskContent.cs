namespace Virtigo.Images;

/// <summary>What a guest sees on a disk, whatever the file that holds it. Not safe for concurrent use.</summary>
internal abstract class DiskContent : IDisposable
{
    private const int MagicBytes = 8;

    /// <summary>The size that the guest sees, in bytes.</summary>
    public abstract long Length { get; }

    /// <summary>Opens a disk for reading: qcow2, or raw when it is nothing else that is known.</summary>
    /// <exception cref="VirtigoException">
    /// The file is not there, is a device or of a format that is not read (<see cref="FailureKind.Usage"/>); or it is damaged
    /// (<see cref="FailureKind.Host"/>).
    /// </exception>
    public static DiskContent Open(string path)
    {
        if (!File.Exists(path))
        {
            throw new VirtigoException(FailureKind.Usage, $"There is no disk {path}.", "Give the path of a raw or qcow2 file.");
        }

        try
        {
            if (!Host.DiskFile.IsRegular(path))
            {
                throw new VirtigoException(FailureKind.Usage, $"{path} is a device, not a file: disks of this host are never touched.",
                    "Give the path of a raw or qcow2 file.");
            }

            Span<byte> magic = stackalloc byte[MagicBytes];
            using (FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0))
            {
                file.ReadAtLeast(magic, MagicBytes, throwOnEndOfStream: false);
            }

            if (Known(magic) is { } format)
            {
                throw new VirtigoException(FailureKind.Usage, $"{path} is a {format} disk; raw and qcow2 are read here.",
                    "Convert it: " + Host.ShellQuote.Command("qemu-img", ["convert", "-O", "qcow2", path, Path.ChangeExtension(path, ".qcow2")]));
            }

            return magic.StartsWith("QFI"u8) && magic[3] == 0xFB ? Qcow2Disk.Open(path) : new RawDisk(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Host, $"The disk {path} cannot be read: {error.Message}", null, error);
        }
    }

    /// <summary>Reads a part of the disk; it must lie within <see cref="Length"/>. Holes read as zeros.</summary>
    public abstract void Read(long offset, Span<byte> buffer);

    /// <summary>The first place from an offset on that may hold anything but zeros; <see cref="Length"/> when there is none.</summary>
    public abstract long NextData(long offset);

    /// <summary>Closes what the disk is read from.</summary>
    public abstract void Dispose();

    private static string? Known(ReadOnlySpan<byte> magic) =>
        magic.StartsWith("KDMV"u8) || magic.StartsWith("COWD"u8) ? "VMDK"
        : magic.StartsWith("vhdxfile"u8) ? "VHDX"
        : magic.StartsWith("conectix"u8) ? "VHD"
        : magic.StartsWith("<<< "u8) ? "VDI"
        : magic.StartsWith("QED\0"u8) ? "QED"
        : null;
}
