namespace Virtigo.Images;

/// <summary>An entry of GRUB's menu.</summary>
/// <param name="Title">Its title: a guest's word.</param>
/// <param name="Uuid">The UUID of the file system that its paths are on; null for the current one.</param>
/// <param name="Kernel">The kernel's path.</param>
/// <param name="Initrds">The paths of what is loaded with it.</param>
/// <param name="Arguments">What the kernel is told.</param>
internal sealed record GrubEntry(string Title, string? Uuid, string Kernel, IReadOnlyList<string> Initrds, IReadOnlyList<string> Arguments);

/// <summary>What can be known of a configuration of GRUB without running it.</summary>
/// <param name="Uuid">The file system that it searches first; null when it searches none.</param>
/// <param name="Device">The device that it sets as root or in its prefix; null for none.</param>
/// <param name="Prefix">The folder that it goes on in; null when it says none.</param>
/// <param name="Entries">The entries that load a kernel, in their order.</param>
/// <param name="IsDynamic">Whether it makes entries that only GRUB itself can know.</param>
internal sealed record GrubConfig(string? Uuid, string? Device, string? Prefix, IReadOnlyList<GrubEntry> Entries, bool IsDynamic)
{
    /// <summary>The most that a configuration may have, in bytes.</summary>
    public const int MostBytes = 4 << 20;

    private const int MostEntries = 1000;
    private const int MostTitle = 200;

    /// <summary>Reads a configuration, whatever it is.</summary>
    public static GrubConfig Read(string text)
    {
        var entries = new List<GrubEntry>();
        (string? first, string? current, string? device, string? prefix, string title) = (null, null, null, null, "");
        (GrubEntry? open, bool dynamic) = (null, false);
        foreach (string line in text.Split('\n'))
        {
            string[] words = Words(line);
            switch (words)
            {
                case ["menuentry", ..]:
                    Close();
                    title = words.Length > 1 ? words[1] : "";
                    break;
                case ["search" or "search.fs_uuid", ..] when Searched(words) is { } uuid:
                    current = uuid;
                    first ??= uuid;
                    break;
                case ["set", var set, ..] when set.StartsWith("prefix=", StringComparison.Ordinal):
                    (device, prefix) = Place(set["prefix=".Length..]) is (var on, var folder) ? (on ?? device, folder) : (device, prefix);
                    break;
                case ["set", var set, ..] when set.StartsWith("root=", StringComparison.Ordinal):
                    device ??= set["root=".Length..].Trim('(', ')');
                    break;
                case ["configfile" or "normal" or "source" or ".", var file, ..] when Place(file).Folder is { } at && at.EndsWith("/grub.cfg", StringComparison.Ordinal)
                    && !at.StartsWith('$'):
                    prefix ??= at[..^"/grub.cfg".Length];
                    break;
                case ["linux" or "linux16" or "linuxefi", var kernel, ..]:
                    Close();
                    open = new GrubEntry(title[..Math.Min(title.Length, MostTitle)], current, kernel, [], words[2..]);
                    break;
                case ["initrd" or "initrd16" or "initrdefi", ..] when open is not null:
                    open = open with { Initrds = words[1..] };
                    break;
                case ["blscfg", ..]:
                    dynamic = true;
                    break;
            }
        }

        Close();
        return new GrubConfig(first, device, prefix, entries, dynamic);

        void Close()
        {
            if (open is not null && entries.Count < MostEntries)
            {
                entries.Add(open);
            }

            open = null;
        }
    }

    /// <summary>A place as GRUB writes it: a device in brackets or none, and a path. The device that is root already is none.</summary>
    public static (string? Device, string Folder) Place(string text)
    {
        int end = text.StartsWith('(') ? text.IndexOf(')', StringComparison.Ordinal) : -1;
        if (end < 0)
        {
            return (null, text.StartsWith("$root", StringComparison.Ordinal) ? text["$root".Length..] : text);
        }

        string device = text[1..end];
        return (device is "$root" or "${root}" or "" ? null : device, text[(end + 1)..]);
    }

    private static string? Searched(string[] words)
    {
        if (words[0] == "search.fs_uuid")
        {
            return words.Length > 1 ? words[1] : null;
        }

        return words.Any(word => word is "--fs-uuid" or "-u") ? words.Skip(1).LastOrDefault(word => word[0] != '-' && word != "root") : null;
    }

    /// <summary>The words of a line, quotes taken off; a comment has none.</summary>
    private static string[] Words(string line)
    {
        var words = new List<string>();
        var word = new System.Text.StringBuilder();
        (char quote, bool some) = ('\0', false);
        foreach (char at in line.Trim())
        {
            if (quote != '\0')
            {
                quote = at == quote ? '\0' : quote;
                if (quote != '\0')
                {
                    word.Append(at);
                }
            }
            else if (at is '\'' or '"')
            {
                (quote, some) = (at, true);
            }
            else if (at is ' ' or '\t' or ';')
            {
                Take();
            }
            else if (at == '#' && !some && word.Length == 0)
            {
                break;
            }
            else
            {
                word.Append(at);
            }
        }

        Take();
        return [.. words];

        void Take()
        {
            if (word.Length > 0)
            {
                words.Add(word.ToString());
            }

            word.Clear();
            some = false;
        }
    }
}
