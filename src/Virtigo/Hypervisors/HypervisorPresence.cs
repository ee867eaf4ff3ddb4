namespace Virtigo.Hypervisors;

/// <summary>Whether a host can run a hypervisor's guests.</summary>
/// <param name="Version">The version that is there, as it says it; null when there is none.</param>
/// <param name="Reason">Why no guest can run, in one clause; null when they can.</param>
/// <param name="Mend">The command or the step that mends it; null when nothing is wrong or nothing helps.</param>
public sealed record HypervisorPresence(string? Version, string? Reason, string? Mend)
{
    /// <summary>Guests can run.</summary>
    public bool IsUsable => Reason is null;
}
