namespace Virtigo.Appliances;

/// <summary>The way around the other keys.</summary>
internal static partial class SpecKeys
{
    private static SpecKey[] Preseed() =>
    [
        new("preseed", new PreseedType(),
            "Answers for debian-installer in its own words, for what no other key says: the text itself, or a file below the spec's folder. They are checked like those of "
            + "`virtigo lint-preseed`, and one that contradicts another key is refused. A `password` may be `file:PATH` or `prompt:`.", "none",
            "lines of a preseed file, at most 256 KiB", "preseed: extra.cfg"),
    ];
}
