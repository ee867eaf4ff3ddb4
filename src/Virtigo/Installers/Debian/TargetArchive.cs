using System.Formats.Tar;
using System.Globalization;
using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>Files for the installed system as a tar archive that its own <c>tar</c> unpacks. Equal entries give equal bytes.</summary>
internal static class TargetArchive
{
    /// <summary>The longest path, in bytes: what the ustar format can hold of it without its first slash.</summary>
    public const int MaxPathBytes = 255;

    /// <summary>The longest text of a link, in bytes.</summary>
    public const int MaxLinkBytes = 100;

    /// <summary>Everything is of this moment: an archive has no time of its own, and tar warns of 1970.</summary>
    private static readonly DateTimeOffset s_time = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Whether the format can hold a path: 100 bytes, or a folder of at most 155 before them.</summary>
    /// <param name="path">An absolute path.</param>
    public static bool Fits(string path)
    {
        ReadOnlySpan<byte> bytes = Encoding.UTF8.GetBytes(path).AsSpan(1);
        if (bytes.Length <= 100)
        {
            return true;
        }

        // The part after the split has at most 100 bytes, the folder before it at most 155.
        int from = Math.Max(0, bytes.Length - 101);
        int slash = bytes[from..].IndexOf((byte)'/');
        return slash >= 0 && from + slash is > 0 and <= 155;
    }

    /// <summary>Writes the archive.</summary>
    /// <param name="entries">The entries, folders before what is in them.</param>
    public static byte[] Write(IEnumerable<TargetEntry> entries)
    {
        using var output = new MemoryStream();
        using (var writer = new TarWriter(output, TarEntryFormat.Ustar, leaveOpen: true))
        {
            foreach (TargetEntry entry in entries)
            {
                string name = entry.Path[1..] + (entry.Kind == TargetEntryKind.Folder ? "/" : "");
                var written = new UstarTarEntry(
                    entry.Kind switch
                    {
                        TargetEntryKind.File => TarEntryType.RegularFile,
                        TargetEntryKind.Folder => TarEntryType.Directory,
                        _ => TarEntryType.SymbolicLink,
                    }, name)
                {
                    Mode = entry.Kind == TargetEntryKind.Link ? (UnixFileMode)0x1FF : entry.Mode,
                    ModificationTime = s_time,
                };
                (written.Uid, written.UserName) = Account(entry.Owner);
                (written.Gid, written.GroupName) = Account(entry.Group);
                if (entry.Kind == TargetEntryKind.Link)
                {
                    written.LinkName = Encoding.UTF8.GetString(entry.Content.Span);
                }
                else if (entry.Kind == TargetEntryKind.File)
                {
                    written.DataStream = new MemoryStream(entry.Content.ToArray(), writable: false);
                }

                writer.WriteEntry(written);
            }
        }

        return output.ToArray();
    }

    private static (int Number, string Name) Account(string owner) =>
        int.TryParse(owner, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? (number, "") : (0, owner);
}
