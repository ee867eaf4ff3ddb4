using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Images;

/// <summary>A logical volume, put together from the parts of a disk that it lies on.</summary>
/// <param name="Name">Its name as GRUB writes it: <c>lvm/GROUP-VOLUME</c>, dashes within names doubled.</param>
/// <param name="Content">What is on it; null when it is not made of plain parts of one disk.</param>
internal sealed record LogicalVolume(string Name, DiskContent? Content);

/// <summary>
/// Reads the logical volumes of an LVM2 physical volume: those that are linear and wholly on it. Written from the format's description in
/// LVM's own documentation; the metadata is text, and a guest's word.
/// </summary>
internal static class LvmVolumes
{
    /// <summary>What GRUB's name of every logical volume begins with; the rest is that of its device below <c>/dev/mapper</c>.</summary>
    public const string Prefix = "lvm/";

    private const int Sector = 512;
    private const int MostTextBytes = 1 << 20;
    private const int MostVolumes = 256;
    private const int MostSegments = 4096;

    /// <summary>Whether a part of a disk is a physical volume.</summary>
    public static bool IsPhysicalVolume(DiskRange range) => LabelAt(range) is not null;

    /// <summary>Its logical volumes; empty when there are none that can be understood.</summary>
    public static IReadOnlyList<LogicalVolume> Read(DiskRange range)
    {
        if (LabelAt(range) is not { } label || MetadataOf(range, label) is not { } text || LvmText.Parse(text) is not { } whole
            || whole.Sections.FirstOrDefault() is not { Key: not null } group || group.Value.Number("extent_size") is not { } extent || !group.Value.Sections.TryGetValue("logical_volumes", out LvmText? volumes)
            || !group.Value.Sections.TryGetValue("physical_volumes", out LvmText? physical))
        {
            return [];
        }

        // Of several disks, this one alone is not enough.
        long? start = physical.Sections.Count == 1 ? physical.Sections.Values.First().Number("pe_start") : null;
        return [.. volumes.Sections.Take(MostVolumes).Select(volume => new LogicalVolume(
            $"{Prefix}{Escape(group.Key)}-{Escape(volume.Key)}", start is { } first ? Linear(range, volume.Value, first * Sector, extent * Sector) : null))];
    }

    private static string Escape(string name) => name.Replace("-", "--", StringComparison.Ordinal);

    private static long? LabelAt(DiskRange range)
    {
        Span<byte> label = stackalloc byte[32];
        for (int sector = 0; sector < 4; sector++)
        {
            if (range.Has(sector * Sector, Sector))
            {
                range.Read(sector * Sector, label);
                if (label[..8].SequenceEqual("LABELONE"u8) && label[24..].SequenceEqual("LVM2 001"u8))
                {
                    return sector * Sector;
                }
            }
        }

        return null;
    }

    private static string? MetadataOf(DiskRange range, long label)
    {
        Span<byte> header = stackalloc byte[Sector];
        range.Read(label, header);
        int at = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(header[20..]), Sector) + 40;

        // Two lists of places, each ended by zeros: the data, then the metadata.
        while (at + 32 <= Sector && BinaryPrimitives.ReadInt64LittleEndian(header[at..]) != 0)
        {
            at += 16;
        }

        at += 16;
        if (at + 16 > Sector)
        {
            return null;
        }

        long area = BinaryPrimitives.ReadInt64LittleEndian(header[at..]);
        long areaBytes = BinaryPrimitives.ReadInt64LittleEndian(header[(at + 8)..]);
        if (area <= 0 || areaBytes <= Sector || !range.Has(area, areaBytes))
        {
            return null;
        }

        range.Read(area, header);
        long text = BinaryPrimitives.ReadInt64LittleEndian(header[40..]);
        long bytes = BinaryPrimitives.ReadInt64LittleEndian(header[48..]);
        if (text < Sector || text >= areaBytes || bytes is <= 0 or > MostTextBytes || bytes > areaBytes - Sector)
        {
            return null;
        }

        // It is written round: what does not fit at the end goes on after the header.
        byte[] content = new byte[bytes];
        int first = (int)Math.Min(bytes, areaBytes - text);
        range.Read(area + text, content.AsSpan(0, first));
        range.Read(area + Sector, content.AsSpan(first));
        return Encoding.ASCII.GetString(content);
    }

    private static LinearContent? Linear(DiskRange range, LvmText volume, long start, long extent)
    {
        var parts = new List<(long At, long Place, long Length)>();
        foreach (LvmText segment in volume.Sections.Where(section => section.Key.StartsWith("segment", StringComparison.Ordinal)).Select(section => section.Value))
        {
            if (parts.Count >= MostSegments || segment.Number("stripe_count") != 1 || segment.Number("start_extent") is not { } at
                || segment.Number("extent_count") is not { } count || segment.Number("stripes") is not { } place)
            {
                return null;
            }

            parts.Add((at * extent, start + (place * extent), count * extent));
        }

        parts.Sort();
        long total = 0;
        foreach ((long at, long place, long length) in parts)
        {
            if (at != total || length <= 0 || !range.Has(place, length))
            {
                return null;
            }

            total += length;
        }

        return parts.Count == 0 ? null : new LinearContent(range, [.. parts], total);
    }

    private sealed class LinearContent(DiskRange range, (long At, long Place, long Length)[] parts, long length) : DiskContent
    {
        public override long Length => length;

        public override void Read(long offset, Span<byte> buffer)
        {
            foreach ((long at, long place, long partLength) in parts)
            {
                if (buffer.IsEmpty)
                {
                    return;
                }

                if (offset < at + partLength)
                {
                    int count = (int)Math.Min(buffer.Length, at + partLength - offset);
                    range.Read(place + offset - at, buffer[..count]);
                    offset += count;
                    buffer = buffer[count..];
                }
            }
        }

        public override long NextData(long offset) => offset;

        public override void Dispose()
        {
            // The disk is another's.
        }
    }
}
