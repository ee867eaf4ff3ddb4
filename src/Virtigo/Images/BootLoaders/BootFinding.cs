namespace Virtigo.Images;

/// <summary>What was found of one link of the chain that boots an image.</summary>
public enum BootVerdict
{
    /// <summary>It is as it must be.</summary>
    Good,

    /// <summary>It could not be looked at; it may be right or wrong.</summary>
    NotChecked,

    /// <summary>The image boots, but not all of it is as it should be.</summary>
    Doubtful,

    /// <summary>The image does not boot past this.</summary>
    Broken,
}

/// <summary>A firmware that starts a boot loader.</summary>
public enum BootFirmware
{
    /// <summary>Whichever the disk has room for; both if it has for both.</summary>
    Auto,

    /// <summary>A PC's BIOS: from the first sector.</summary>
    Bios,

    /// <summary>UEFI: from the removable path of the system partition.</summary>
    Uefi,
}

/// <summary>One link of the chain that boots an image.</summary>
/// <param name="Firmware">By which firmware.</param>
/// <param name="Link">Which: boot sector, core, system partition, program, prefix, modules, configuration, kernel, initrd, root.</param>
/// <param name="Verdict">How it is.</param>
/// <param name="Text">What was found. May have words of a guest's, without control characters.</param>
public sealed record BootFinding(BootFirmware Firmware, string Link, BootVerdict Verdict, string Text);
