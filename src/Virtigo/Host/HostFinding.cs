namespace Virtigo.Host;

/// <summary>How well the host serves in one respect.</summary>
public enum HostVerdict
{
    /// <summary>Nothing to do.</summary>
    Ok,

    /// <summary>Works, with a loss that the detail names.</summary>
    Warning,

    /// <summary>Builds fail until it is mended.</summary>
    Missing,
}

/// <summary>One thing that was looked at on the host.</summary>
/// <param name="Name">What was looked at: a tool, a device, a folder.</param>
/// <param name="Verdict">How well it serves.</param>
/// <param name="Detail">What was found, and what a lack costs.</param>
/// <param name="Mend">The command or edit that mends it; null when there is nothing to mend or nothing known.</param>
public sealed record HostFinding(string Name, HostVerdict Verdict, string Detail, string? Mend = null);
