using System.Buffers.Text;
using System.Text;

namespace Virtigo.Installers.Debian;

/// <summary>What a member of a cpio archive is.</summary>
internal enum CpioEntryType
{
    /// <summary>A type that does not exist on Linux.</summary>
    Unknown = 0,

    /// <summary>A regular file.</summary>
    File = 0x8,

    /// <summary>A directory.</summary>
    Directory = 0x4,

    /// <summary>A symbolic link; its content is the target.</summary>
    Symlink = 0xA,

    /// <summary>A device that is read byte by byte.</summary>
    CharacterDevice = 0x2,

    /// <summary>A device that is read block by block.</summary>
    BlockDevice = 0x6,

    /// <summary>A named pipe.</summary>
    Fifo = 0x1,

    /// <summary>A socket.</summary>
    Socket = 0xC,
}

/// <summary>The header of one member of a cpio archive.</summary>
/// <param name="Path">The path, without a leading <c>/</c> or <c>./</c>; the root is <c>.</c>. It may contain <c>..</c>: never write to it.</param>
/// <param name="Type">What it is.</param>
/// <param name="Mode">Permissions.</param>
/// <param name="Size">The content's size in bytes.</param>
/// <param name="Links">How many names it has.</param>
internal sealed record CpioEntry(string Path, CpioEntryType Type, UnixFileMode Mode, long Size, long Links);

/// <summary>
/// Reads cpio archives in the kernel's format ("newc", with or without checksums), several in a row included.
/// The input is not trusted: names and counts are bounded, and content is streamed.
/// </summary>
/// <param name="input">An uncompressed archive; read forwards only, left open.</param>
internal sealed class CpioReader(Stream input)
{
    /// <summary>More members than any installer has.</summary>
    public const int MaximumEntries = 1_000_000;

    private readonly byte[] _header = new byte[CpioWriter.HeaderSize];
    private long _position;
    private long _contentLeft;
    private int _entries;

    /// <summary>Moves to the next member.</summary>
    /// <returns>The member, or null at the end.</returns>
    /// <exception cref="InvalidDataException">This is not a cpio archive, or it is damaged.</exception>
    public async Task<CpioEntry?> ReadAsync(CancellationToken cancellationToken)
    {
        await SkipContentAsync(cancellationToken);
        while (true)
        {
            if (!await HeaderAsync(cancellationToken))
            {
                return null;
            }

            if (++_entries > MaximumEntries)
            {
                throw Damaged($"it has more than {MaximumEntries} members");
            }

            (string path, uint mode, long size, long links) = await ParseAsync(cancellationToken);
            if (path == CpioWriter.Trailer)
            {
                if (size != 0)
                {
                    throw Damaged("its trailer has content");
                }

                continue;
            }

            _contentLeft = size;
            return new CpioEntry(Clean(path), TypeOf(mode), (UnixFileMode)(mode & 0xFFF), size, links);
        }
    }

    /// <summary>The content of the current member.</summary>
    /// <param name="limit">The most bytes that make sense.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="InvalidDataException">The content is larger than the limit, or cut off.</exception>
    public async Task<byte[]> ReadContentAsync(int limit, CancellationToken cancellationToken)
    {
        if (_contentLeft > limit)
        {
            throw Damaged($"a member has {_contentLeft} bytes where at most {limit} make sense");
        }

        byte[] content = new byte[_contentLeft];
        await ExactlyAsync(content, cancellationToken);
        _contentLeft = 0;
        return content;
    }

    private static CpioEntryType TypeOf(uint mode)
    {
        var type = (CpioEntryType)((mode >> 12) & 0xF);
        return Enum.IsDefined(type) ? type : CpioEntryType.Unknown;
    }

    private static string Clean(string path)
    {
        string clean = path;
        while (clean.StartsWith("./", StringComparison.Ordinal) || clean.StartsWith('/'))
        {
            clean = clean[(clean[0] == '/' ? 1 : 2)..];
        }

        return clean.Length == 0 ? "." : clean;
    }

    /// <summary>Reads the next header; zero bytes between archives are passed over.</summary>
    private async Task<bool> HeaderAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await AlignAsync(cancellationToken);
            int first = await input.ReadAtLeastAsync(_header.AsMemory(0, 4), 4, throwOnEndOfStream: false, cancellationToken);
            _position += first;
            if (first == 0)
            {
                return false;
            }

            if (first < 4)
            {
                throw Damaged("it ends within a header");
            }

            if (_header.AsSpan(0, 4).IndexOfAnyExcept((byte)0) >= 0)
            {
                await ExactlyAsync(_header.AsMemory(4), cancellationToken);
                return true;
            }
        }
    }

    private async Task<(string Path, uint Mode, long Size, long Links)> ParseAsync(CancellationToken cancellationToken)
    {
        if (!_header.AsSpan(0, 6).SequenceEqual("070701"u8) && !_header.AsSpan(0, 6).SequenceEqual("070702"u8))
        {
            throw Damaged($"at byte {_position - _header.Length} there is no header");
        }

        (uint mode, uint links, uint size, uint nameSize) = (Field(1), Field(4), Field(6), Field(11));
        if (nameSize is < 2 or > CpioWriter.MaximumPathBytes + 1)
        {
            throw Damaged($"a name has {nameSize} bytes");
        }

        byte[] name = new byte[nameSize];
        await ExactlyAsync(name, cancellationToken);
        if (Array.IndexOf(name, (byte)0) != name.Length - 1)
        {
            throw Damaged("a name is not closed by a zero byte");
        }

        await AlignAsync(cancellationToken);
        return (Encoding.UTF8.GetString(name.AsSpan(0, name.Length - 1)), mode, size, links);
    }

    private uint Field(int index)
    {
        ReadOnlySpan<byte> digits = _header.AsSpan(6 + (index * 8), 8);
        return Utf8Parser.TryParse(digits, out uint value, out int used, 'X') && used == 8
            ? value
            : throw Damaged($"field {index} of a header is not hexadecimal");
    }

    private async Task SkipContentAsync(CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[Math.Min(_contentLeft, 64 * 1024)];
        while (_contentLeft > 0)
        {
            int count = (int)Math.Min(_contentLeft, buffer.Length);
            await ExactlyAsync(buffer.AsMemory(0, count), cancellationToken);
            _contentLeft -= count;
        }
    }

    private async Task AlignAsync(CancellationToken cancellationToken)
    {
        int rest = (int)(_position % 4);
        if (rest != 0)
        {
            // The padding after the very last byte of an archive may be missing.
            _position += await input.ReadAtLeastAsync(new byte[4 - rest], 4 - rest, throwOnEndOfStream: false, cancellationToken);
        }
    }

    private async Task ExactlyAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        int read = await input.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        _position += read;
        if (read < buffer.Length)
        {
            throw Damaged("it ends too early");
        }
    }

    private static InvalidDataException Damaged(string what) => new($"The cpio archive is damaged: {what}.");
}
