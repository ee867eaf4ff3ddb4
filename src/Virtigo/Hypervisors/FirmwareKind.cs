namespace Virtigo.Hypervisors;

/// <summary>What starts a machine.</summary>
public enum FirmwareKind
{
    /// <summary>The PC's BIOS.</summary>
    Bios,

    /// <summary>UEFI.</summary>
    Uefi,
}

/// <summary>The names of firmwares, as they are written.</summary>
internal static class Firmwares
{
    /// <summary>The name.</summary>
    public static string NameOf(FirmwareKind firmware) => firmware == FirmwareKind.Uefi ? "uefi" : "bios";

    /// <summary>The firmware of a name.</summary>
    public static FirmwareKind Of(string name) => name == "uefi" ? FirmwareKind.Uefi : FirmwareKind.Bios;
}
