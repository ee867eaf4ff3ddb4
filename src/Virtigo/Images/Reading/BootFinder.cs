namespace Virtigo.Images;

/// <summary>The kernel that an image boots, found on its disk.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="Initrd">The initial file system; null when there is none.</param>
/// <param name="CommandLine">What the kernel is told, as the image's boot loader does; null when that is not known.</param>
internal sealed record BootChoice(ImageEntry Kernel, ImageEntry? Initrd, string? CommandLine);

/// <summary>Finds what an image's boot loader would start: GRUB's first entry, else Debian's links, else the newest kernel there is.</summary>
internal static class BootFinder
{
    private const int MostConfigBytes = 4 << 20;
    private const int MostCommandLine = 4096;
    private const string KernelPrefix = "vmlinuz-";

    /// <summary>Looks for the kernel.</summary>
    /// <returns>Null when there is none on any file system that can be read.</returns>
    public static BootChoice? Find(ImageFiles files) => FromGrub(files) ?? FromLinks(files) ?? Newest(files);

    /// <summary>The first <c>linux</c> line of a GRUB configuration and the <c>initrd</c> line that follows it: paths and arguments.</summary>
    internal static (string Kernel, string? Initrd, string CommandLine)? ReadGrub(string config)
    {
        (string Kernel, string CommandLine)? found = null;
        foreach (string line in config.Split('\n'))
        {
            string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (found is null && words is ["linux" or "linux16" or "linuxefi", _, ..])
            {
                found = (words[1], string.Join(' ', words[2..]));
            }
            else if (found is { } kernel && words is ["initrd" or "initrd16" or "initrdefi", _, ..])
            {
                return (kernel.Kernel, words[1], kernel.CommandLine);
            }
            else if (found is not null && words is ["}"])
            {
                break;
            }
        }

        return found is { } alone ? (alone.Kernel, null, alone.CommandLine) : null;
    }

    private static BootChoice? FromGrub(ImageFiles files)
    {
        if ((files.ReadText("/boot/grub/grub.cfg", MostConfigBytes) ?? files.ReadText("/grub/grub.cfg", MostConfigBytes)) is not { } config
            || ReadGrub(config) is not { } entry)
        {
            return null;
        }

        // A path in it is that on the file system of /boot, of which the root may be a subvolume.
        ImageEntry? At(string path) => AFile(files, path.StartsWith(files.RootPath + '/', StringComparison.Ordinal) ? path[files.RootPath.Length..] : path)
            ?? AFile(files, "/boot/" + path);
        string? arguments = entry.CommandLine.Length <= MostCommandLine && entry.CommandLine.All(c => c is >= ' ' and < '\u007f') ? entry.CommandLine : null;
        return At(entry.Kernel) is { } kernel ? new BootChoice(kernel, entry.Initrd is null ? null : At(entry.Initrd), arguments) : null;
    }

    private static BootChoice? FromLinks(ImageFiles files) =>
        (AFile(files, "/vmlinuz") ?? AFile(files, "/boot/vmlinuz")) is { } kernel
            ? new BootChoice(kernel, AFile(files, "/initrd.img") ?? AFile(files, "/boot/initrd.img"), null) : null;

    private static BootChoice? Newest(ImageFiles files)
    {
        foreach (string folder in (string[])["/boot", "/"])
        {
            ImageEntry? newest = files.Find(folder) is { Kind: ImageEntryKind.Directory } directory
                ? files.List(directory)
                    .Where(entry => entry.Kind == ImageEntryKind.File && Name(entry).StartsWith(KernelPrefix, StringComparison.Ordinal))
                    .MaxBy(Name, Comparer<string>.Create(CompareNumbers))
                : null;
            if (newest is not null)
            {
                string version = Name(newest)[KernelPrefix.Length..];
                return new BootChoice(newest, AFile(files, $"{folder}/initrd.img-{version}"), null);
            }
        }

        return null;
    }

    /// <summary>Compares names so that 6.12 comes after 6.9.</summary>
    internal static int CompareNumbers(string a, string b)
    {
        int i = 0, j = 0;
        while (i < a.Length && j < b.Length)
        {
            if (char.IsAsciiDigit(a[i]) && char.IsAsciiDigit(b[j]))
            {
                string first = Digits(a, ref i), second = Digits(b, ref j);
                int order = first.Length != second.Length ? first.Length - second.Length : string.CompareOrdinal(first, second);
                if (order != 0)
                {
                    return order;
                }
            }
            else if (a[i] != b[j])
            {
                return a[i] - b[j];
            }
            else
            {
                (i, j) = (i + 1, j + 1);
            }
        }

        return (a.Length - i) - (b.Length - j);
    }

    private static string Digits(string text, ref int at)
    {
        int start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at]))
        {
            at++;
        }

        return text[start..at].TrimStart('0');
    }

    private static ImageEntry? AFile(ImageFiles files, string path) => files.Find(path) is { Kind: ImageEntryKind.File, Size: > 0 } file ? file : null;

    private static string Name(ImageEntry entry) => entry.Path[(entry.Path.LastIndexOf('/') + 1)..];
}
