namespace Virtigo.Hypervisors.Xen;

/// <summary>Concludes why a guest of Xen ended.</summary>
internal static class XenExit
{
    private const int KilledBySignal = 128 + 9;

    /// <summary>Says why the guest ended.</summary>
    /// <param name="killed">We destroyed it.</param>
    /// <param name="end">Why its domain stopped; null when it did not.</param>
    /// <param name="exitCode">The exit code of the xl that watched it.</param>
    /// <param name="said">What that said.</param>
    /// <param name="panic">The kernel's last words, or null.</param>
    /// <param name="command">The command line of that xl.</param>
    public static GuestExit Conclude(bool killed, DomainEnd? end, int exitCode, string said, string? panic, string command)
    {
        (GuestExitReason reason, string detail) = end switch
        {
            DomainEnd.PowerOff => (GuestExitReason.GuestShutdown, "The guest powered off."),
            DomainEnd.Reboot => (GuestExitReason.GuestReset, "The guest rebooted."),
            DomainEnd.Crash when panic is not null => (GuestExitReason.GuestPanicked, $"The guest's kernel panicked: {panic}"),
            DomainEnd.Crash => (GuestExitReason.GuestPanicked, "The guest crashed, without a word of its kernel on its console."),
            DomainEnd.Watchdog => (GuestExitReason.GuestPanicked, "The guest did not answer its watchdog."),
            DomainEnd.Suspend => (GuestExitReason.GuestShutdown, "The guest suspended itself, and nobody was to wake it."),
            DomainEnd.SoftReset => (GuestExitReason.GuestReset, "The guest was to begin again with another kernel."),
            _ when killed => (GuestExitReason.Killed, "The guest was ended."),
            _ => (GuestExitReason.HypervisorDied, Death(end, exitCode, said.Trim())),
        };
        return new GuestExit(reason, detail, exitCode, said, command);
    }

    private static string Death(DomainEnd? end, int exitCode, string said)
    {
        string words = said.Length > 0 ? $" It said: {said}" : "";
        return (end, exitCode) switch
        {
            ({ } unknown, _) => $"The guest's domain stopped for the reason {(int)unknown}, which is not known.",
            (_, 0) => "The guest's domain was destroyed by someone else.",
            (_, KilledBySignal) => $"The xl that watched the guest was killed by signal 9; when dom0 runs out of memory, its kernel does that.{words}",
            (_, > 128) => $"The xl that watched the guest was ended by signal {exitCode - 128}.{words}",
            _ => $"The xl that watched the guest ended with exit code {exitCode}.{words}",
        };
    }
}
