namespace Virtigo.Hypervisors.Uml;

/// <summary>Concludes why a User-Mode Linux ended.</summary>
internal static class UmlExit
{
    private const int KilledBySignal = 128 + 9;
    private const int Aborted = 128 + 6;

    // Said by the program itself when a reboot finds no kernel to run again.
    private const string Rebooted = "Failed to exec kernel";

    /// <summary>Says why the guest ended.</summary>
    /// <param name="killed">We killed it.</param>
    /// <param name="asked">It was asked to shut down: what it then does is Ctrl-Alt-Del's, a reboot.</param>
    /// <param name="exitCode">Its exit code.</param>
    /// <param name="said">What it said on its standard output and error.</param>
    /// <param name="panic">The kernel's last words, or null.</param>
    /// <param name="command">Its command line.</param>
    public static GuestExit Conclude(bool killed, bool asked, int exitCode, string said, string? panic, string command)
    {
        bool rebooted = said.Contains(Rebooted, StringComparison.Ordinal);
        (GuestExitReason reason, string detail) = exitCode switch
        {
            Aborted when panic is not null => (GuestExitReason.GuestPanicked, $"The guest's kernel panicked: {panic}"),
            0 or 1 when rebooted && !asked => (GuestExitReason.GuestReset, "The guest rebooted."),
            0 or 1 when rebooted => (GuestExitReason.GuestShutdown, "The guest shut down."),
            0 => (GuestExitReason.GuestShutdown, "The guest powered off."),
            _ when killed => (GuestExitReason.Killed, "The guest was ended."),
            _ => (GuestExitReason.HypervisorDied, Death(exitCode, said.Trim())),
        };
        return new GuestExit(reason, detail, exitCode, said, command);
    }

    private static string Death(int exitCode, string said)
    {
        string words = said.Length > 0 ? $" It said: {said}" : "";
        return exitCode switch
        {
            KilledBySignal => $"User-Mode Linux was killed by signal 9; when the host runs out of memory, its kernel does that.{words}",
            > 128 => $"User-Mode Linux was ended by signal {exitCode - 128}.{words}",
            _ => $"User-Mode Linux ended with exit code {exitCode}.{words}",
        };
    }
}
