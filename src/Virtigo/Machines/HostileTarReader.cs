using System.Globalization;
using System.Text;

namespace Virtigo.Machines;

/// <summary>
/// Reads a tar archive (ustar, pax, GNU names, GNU sparse 1.0) from a guest. Its memory is bounded whatever the archive says;
/// what is malformed is an <see cref="InvalidDataException"/>.
/// </summary>
/// <param name="stream">The archive; not disposed.</param>
internal sealed class HostileTarReader(Stream stream)
{
    private const int Block = 512;
    private const int LongestExtension = 64 << 10;
    private readonly byte[] _header = new byte[Block];
    private readonly byte[] _skipped = new byte[16 << 10];
    private long _left;
    private int _padding;

    /// <summary>Reads the next entry, skipping what is left of the current one.</summary>
    /// <returns>The entry, or null at the end.</returns>
    /// <exception cref="InvalidDataException">It is no tar archive, or says something absurd.</exception>
    public async Task<TarEntryHeader?> NextAsync(CancellationToken cancellationToken)
    {
        await SkipAsync(cancellationToken);
        var extended = new Dictionary<string, string>(StringComparer.Ordinal);
        while (true)
        {
            int read = await stream.ReadAtLeastAsync(_header, Block, throwOnEndOfStream: false, cancellationToken);
            if (read == 0 || (read == Block && !_header.AsSpan().ContainsAnyExcept((byte)0)))
            {
                return null;
            }

            if (read < Block || !ChecksumIsRight(_header))
            {
                throw new InvalidDataException("the guest's archive is cut off or no tar archive");
            }

            char type = (char)_header[156];
            long size = Number(_header.AsSpan(124, 12));
            if (type is 'x' or 'g' or 'L' or 'K')
            {
                byte[] text = await ExtensionAsync(size, cancellationToken);
                Extend(extended, type, text);
                continue;
            }

            return Entry(extended, type, size);
        }
    }

    /// <summary>Reads content of the current entry.</summary>
    /// <returns>0 at its end.</returns>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_left == 0 || buffer.Length == 0)
        {
            return 0;
        }

        int read = await stream.ReadAsync(buffer[..(int)Math.Min(buffer.Length, _left)], cancellationToken);
        if (read == 0)
        {
            throw new InvalidDataException("the guest's archive is cut off");
        }

        _left -= read;
        return read;
    }

    private static bool ChecksumIsRight(ReadOnlySpan<byte> header)
    {
        long sum = 0;
        for (int i = 0; i < Block; i++)
        {
            sum += i is >= 148 and < 156 ? ' ' : header[i];
        }

        return Number(header.Slice(148, 8)) == sum;
    }

    private static long Number(ReadOnlySpan<byte> field)
    {
        long value = 0;
        if ((field[0] & 0x80) != 0)
        {
            // GNU's form of large numbers.
            foreach (byte part in field[^8..])
            {
                value = (value << 8) | part;
            }

            return field[..^8].ContainsAnyExcept((byte)0x80, (byte)0) || value < 0 ? throw new InvalidDataException("a number is too large") : value;
        }

        foreach (byte digit in field)
        {
            if (digit is 0 or (byte)' ')
            {
                continue;
            }

            if (digit is < (byte)'0' or > (byte)'7')
            {
                throw new InvalidDataException("a number in the guest's archive is none");
            }

            value = (value << 3) | (uint)(digit - '0');
        }

        return value;
    }

    private static string Text(ReadOnlySpan<byte> field)
    {
        int end = field.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
    }

    private static void Extend(Dictionary<string, string> extended, char type, ReadOnlySpan<byte> text)
    {
        if (type is 'L' or 'K')
        {
            extended[type == 'L' ? "path" : "linkpath"] = Text(text);
            return;
        }

        // Records are "LENGTH KEY=VALUE\n". Global ones are about nothing that we use.
        while (type == 'x' && text.Length > 0)
        {
            int space = text.IndexOf((byte)' ');
            int equals = text.IndexOf((byte)'=');
            if (space < 1 || equals <= space || !int.TryParse(text[..space], NumberStyles.None, CultureInfo.InvariantCulture, out int length)
                || length <= equals + 1 || length > text.Length)
            {
                throw new InvalidDataException("an extended header in the guest's archive is malformed");
            }

            extended[Encoding.UTF8.GetString(text[(space + 1)..equals])] = Encoding.UTF8.GetString(text[(equals + 1)..(length - 1)]);
            text = text[length..];
        }
    }

    private static long? Size(Dictionary<string, string> extended, string key) =>
        !extended.TryGetValue(key, out string? text) ? null
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value
        : throw new InvalidDataException($"{key} in the guest's archive is no number");

    private static DateTimeOffset Time(long seconds) =>
        DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(seconds, 0, new DateTimeOffset(9999, 1, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeSeconds()));

    private TarEntryHeader Entry(Dictionary<string, string> extended, char type, long size)
    {
        bool ustar = _header.AsSpan(257, 5).SequenceEqual("ustar"u8) && _header[262] == 0;
        string prefix = ustar ? Text(_header.AsSpan(345, 155)) : "";
        string name = extended.GetValueOrDefault("path") ?? (prefix.Length > 0 ? $"{prefix}/" : "") + Text(_header.AsSpan(0, 100));
        size = Size(extended, "size") ?? size;
        long? sparse = null;
        if (extended.GetValueOrDefault("GNU.sparse.major") is { } major)
        {
            if (major != "1" || extended.GetValueOrDefault("GNU.sparse.minor") != "0")
            {
                throw new InvalidDataException("the guest's archive has a sparse file of an unknown form");
            }

            name = extended.GetValueOrDefault("GNU.sparse.name") ?? name;
            sparse = Size(extended, "GNU.sparse.realsize") ?? throw new InvalidDataException("a sparse file in the guest's archive has no size");
        }

        TarKind kind = type switch
        {
            '0' or '\0' or '7' => name.EndsWith('/') ? TarKind.Folder : TarKind.File,
            '5' => TarKind.Folder,
            '2' => TarKind.Symlink,
            '1' => TarKind.HardLink,
            '3' or '4' or '6' => TarKind.Special,
            _ => throw new InvalidDataException($"the guest's archive has an entry of the unknown type 0x{(int)type:x2}"),
        };
        if (kind != TarKind.File)
        {
            size = 0;
        }

        (_left, _padding) = (size, (int)((Block - (size % Block)) % Block));
        string target = extended.GetValueOrDefault("linkpath") ?? Text(_header.AsSpan(157, 100));
        return new TarEntryHeader(name, kind, (int)(Number(_header.AsSpan(100, 8)) & 0xfff), size, Time(Number(_header.AsSpan(136, 12))), target, sparse);
    }

    private async Task<byte[]> ExtensionAsync(long size, CancellationToken cancellationToken)
    {
        if (size > LongestExtension)
        {
            throw new InvalidDataException($"an extended header in the guest's archive has {size} bytes");
        }

        (_left, _padding) = (size, (int)((Block - (size % Block)) % Block));
        byte[] text = new byte[size];
        for (int at = 0; at < text.Length;)
        {
            at += await ReadAsync(text.AsMemory(at), cancellationToken);
        }

        await SkipAsync(cancellationToken);
        return text;
    }

    private async Task SkipAsync(CancellationToken cancellationToken)
    {
        while (await ReadAsync(_skipped, cancellationToken) > 0)
        {
        }

        (_left, _padding) = (_padding, 0);
        while (await ReadAsync(_skipped, cancellationToken) > 0)
        {
        }
    }
}
