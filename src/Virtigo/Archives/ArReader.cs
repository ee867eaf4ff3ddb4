using System.Globalization;
using System.Text;

namespace Virtigo.Archives;

/// <summary>A member of an ar file.</summary>
/// <param name="Name">Its name, without the slash some tools append.</param>
/// <param name="Offset">Where its content starts in the file.</param>
/// <param name="Size">Its size in bytes.</param>
internal sealed record ArMember(string Name, long Offset, long Size);

/// <summary>Reads the table of an ar file, the outer format of a .deb.</summary>
internal static class ArReader
{
    private const int HeaderSize = 60;
    private const int MaxMembers = 100;

    /// <summary>Lists the members.</summary>
    /// <param name="file">A seekable stream that starts with the ar's first byte; left open.</param>
    /// <param name="name">What is read, for messages.</param>
    /// <exception cref="VirtigoException">It is no ar file, or is cut off (<see cref="FailureKind.Archive"/>).</exception>
    public static IReadOnlyList<ArMember> ReadMembers(Stream file, string name)
    {
        Span<byte> magic = stackalloc byte[8];
        file.Seek(0, SeekOrigin.Begin);
        if (file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) < magic.Length || !magic.SequenceEqual("!<arch>\n"u8))
        {
            throw Bad(name, "does not start as an ar file (\"!<arch>\")");
        }

        var members = new List<ArMember>();
        Span<byte> header = stackalloc byte[HeaderSize];
        long at = magic.Length;
        while (at < file.Length)
        {
            file.Seek(at, SeekOrigin.Begin);
            if (file.ReadAtLeast(header, HeaderSize, throwOnEndOfStream: false) < HeaderSize || header[58] != '`' || header[59] != '\n')
            {
                throw Bad(name, $"has no valid member header at byte {at}");
            }

            string member = Encoding.Latin1.GetString(header[..16]).TrimEnd(' ');
            if (!long.TryParse(Encoding.Latin1.GetString(header[48..58]).TrimEnd(' '), NumberStyles.None, CultureInfo.InvariantCulture, out long size)
                || size > file.Length - at - HeaderSize)
            {
                throw Bad(name, $"is cut off: the member \"{Text.Shorten(member)}\" reaches beyond its end");
            }

            if (members.Count >= MaxMembers)
            {
                throw Bad(name, $"has more than {MaxMembers} members");
            }

            members.Add(new ArMember(member.TrimEnd('/'), at + HeaderSize, size));
            at += HeaderSize + size + (size & 1);
        }

        return members;
    }

    /// <summary>The content of a member.</summary>
    /// <param name="file">The ar file; a member's stream moves its position, so only one may be read at a time.</param>
    /// <param name="member">The member.</param>
    public static Stream Open(Stream file, ArMember member) => new SliceStream(file, member.Offset, member.Size);

    private static VirtigoException Bad(string name, string what) =>
        new(FailureKind.Archive, $"{name} {what}: it is no intact package.", "Fetch it again, or use another mirror.");
}
