using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Images;

/// <summary>Names of directory records.</summary>
/// <param name="rockRidgeSkip">The bytes to leave out before Rock Ridge's entries; null: there are none.</param>
/// <param name="joliet">Whether identifiers are UCS-2.</param>
/// <param name="readArea">Reads a part of the image for entries that continue elsewhere; null where there is no such part.</param>
internal sealed class IsoNames(int? rockRidgeSkip, bool joliet, Func<long, int, byte[]?> readArea)
{
    private const int MaxContinuations = 8;
    private const int MaxNameBytes = 255;

    /// <summary>The part of a record behind its name.</summary>
    public static ReadOnlySpan<byte> SystemUse(ReadOnlySpan<byte> record)
    {
        int from = 33 + record[32] + (record[32] % 2 == 0 ? 1 : 0);
        return from >= record.Length ? [] : record[from..];
    }

    /// <summary>A record's name: that of Rock Ridge when it has one.</summary>
    public string Of(ReadOnlySpan<byte> record) => RockRidge(record) ?? Own(record.Slice(33, record[32]));

    private string Own(ReadOnlySpan<byte> identifier)
    {
        string name = joliet ? Encoding.BigEndianUnicode.GetString(identifier) : Encoding.Latin1.GetString(identifier).ToLowerInvariant();
        int version = name.LastIndexOf(';');
        return (version > 0 ? name[..version] : name).TrimEnd('.');
    }

    private string? RockRidge(ReadOnlySpan<byte> record)
    {
        ReadOnlySpan<byte> use = SystemUse(record);
        if (rockRidgeSkip is not { } skip || use.Length < skip)
        {
            return null;
        }

        use = use[skip..];
        var name = new List<byte>();
        bool named = false;
        for (int area = 0; area <= MaxContinuations; area++)
        {
            (long Offset, int Bytes)? next = null;
            while (use.Length >= 4 && use[2] >= 4 && use[2] <= use.Length)
            {
                ReadOnlySpan<byte> entry = use[..use[2]];
                use = use[entry.Length..];
                if (entry is [(byte)'N', (byte)'M', >= 5, _, var flags, ..] && (flags & 6) == 0)
                {
                    named = true;
                    name.AddRange(entry[5..]);
                }
                else if (entry is [(byte)'C', (byte)'E', >= 28, ..])
                {
                    next = ((BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]) * (long)IsoImage.Sector) + BinaryPrimitives.ReadUInt32LittleEndian(entry[12..]),
                        (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(entry[20..]), IsoImage.Sector));
                }
            }

            if (next is not { } elsewhere || readArea(elsewhere.Offset, elsewhere.Bytes) is not { } continued)
            {
                break;
            }

            use = continued;
        }

        return named && name.Count is > 0 and <= MaxNameBytes ? Encoding.UTF8.GetString([.. name]) : null;
    }
}
