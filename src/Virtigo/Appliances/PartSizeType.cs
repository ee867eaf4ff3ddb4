using System.Globalization;
using System.Text.Json;

namespace Virtigo.Appliances;

/// <summary>The size of a part of a disk: a number of bytes with a unit, a share of the disk, or what the other parts leave.</summary>
internal sealed class PartSizeType : SettingType
{
    /// <summary>The values, for the reference.</summary>
    public const string Values = "64MiB to 16TiB, whole MiB; `1%` to `100%`; `rest`";

    private const string Rest = "rest";
    private static readonly SizeType s_sizes = new(64L << 20, 16L << 40);

    public override string Name => "a size, a percentage or rest";

    public override object? Read(YamlItem item, SpecKey key, SpecProblems problems)
    {
        if (item is not YamlText { Value: var value } text || (value != Rest && !value.EndsWith('%')))
        {
            return s_sizes.Read(item, key, problems) is long bytes ? new PartSize(PartSizeKind.Bytes, bytes) : null;
        }

        if (value == Rest)
        {
            return new PartSize(PartSizeKind.Rest, 0);
        }

        if (int.TryParse(value.AsSpan(0, value.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int share) && share is >= 1 and <= 100)
        {
            return new PartSize(PartSizeKind.Share, share);
        }

        BadValue(text, key, problems, "is no share of a disk: expected a whole number from 1% to 100%");
        return null;
    }

    public override void WriteSchema(Utf8JsonWriter schema)
    {
        schema.WriteString("type", "string");
        schema.WriteString("pattern", "^([0-9]+ ?([KkMmGgTt]|[KkMmGgTt][Ii][Bb])|[0-9]{1,3}%|rest)$");
    }
}

/// <summary>How the size of a part of a disk is said.</summary>
internal enum PartSizeKind
{
    /// <summary>As a number of bytes.</summary>
    Bytes,

    /// <summary>In hundredths of the disk.</summary>
    Share,

    /// <summary>As what the other parts leave.</summary>
    Rest,
}

/// <summary>The size of a part of a disk as it was written.</summary>
/// <param name="Kind">How it is said.</param>
/// <param name="Number">The bytes, or the hundredths.</param>
internal sealed record PartSize(PartSizeKind Kind, long Number)
{
    /// <summary>The size in MiB on a disk; null for what the others leave.</summary>
    /// <param name="diskMiB">The size of the disk in MiB.</param>
    public long? On(long diskMiB) => Kind switch
    {
        PartSizeKind.Bytes => Number >> 20,
        PartSizeKind.Share => diskMiB * Number / 100,
        _ => null,
    };
}
