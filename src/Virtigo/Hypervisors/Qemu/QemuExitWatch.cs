using System.Text.Json;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>Concludes from QEMU's events and its exit code why a guest ended.</summary>
internal sealed class QemuExitWatch
{
    private const int KilledBySignal = 128 + 9;
    private string? _shutdown;
    private string? _diskError;
    private bool _panicked;

    /// <summary>Takes note of an event.</summary>
    /// <returns>Whether the guest must be ended now: it waits for a disk of the host's that will not get better.</returns>
    public bool See(QmpEvent value)
    {
        switch (value.Name)
        {
            case "SHUTDOWN":
                _shutdown ??= QmpMessage.Text(value.Data, "reason") ?? "unknown";
                return false;
            case "GUEST_PANICKED":
                _panicked = true;
                return false;
            case "BLOCK_IO_ERROR" when QmpMessage.Text(value.Data, "action") == "stop":
                bool full = value.Data.TryGetProperty("nospace", out JsonElement noSpace) && noSpace.ValueKind == JsonValueKind.True;
                _diskError ??= full ? "the file system is full" : QmpMessage.Text(value.Data, "reason") ?? "unknown error";
                return true;
            default:
                return false;
        }
    }

    /// <summary>Says why the guest ended.</summary>
    /// <param name="killed">We killed it.</param>
    /// <param name="exitCode">QEMU's exit code.</param>
    /// <param name="errorTail">What QEMU said.</param>
    /// <param name="panic">The kernel's last words on a serial port, or null.</param>
    /// <param name="command">QEMU's command line.</param>
    public GuestExit Conclude(bool killed, int exitCode, string errorTail, string? panic, string command)
    {
        (GuestExitReason reason, string detail) = (_shutdown, panic) switch
        {
            _ when _diskError is not null => (GuestExitReason.HostDiskError, $"The host could not store what the guest wrote: {_diskError}."),
            _ when _panicked || _shutdown == "guest-panic" => (GuestExitReason.GuestPanicked, PanicDetail(panic)),
            ("guest-reset", not null) => (GuestExitReason.GuestPanicked, PanicDetail(panic)),
            ("guest-reset", _) => (GuestExitReason.GuestReset, "The guest rebooted."),
            ("guest-shutdown", _) => (GuestExitReason.GuestShutdown, "The guest powered off."),
            _ when killed => (GuestExitReason.Killed, "The guest was ended."),
            _ => (GuestExitReason.HypervisorDied, DeathDetail(exitCode, errorTail)),
        };
        return new GuestExit(reason, detail, exitCode, errorTail, command);
    }

    private static string PanicDetail(string? panic) => panic is null ? "The guest's kernel panicked." : $"The guest's kernel panicked: {panic}";

    private string DeathDetail(int exitCode, string errorTail)
    {
        string said = errorTail.Trim() is { Length: > 0 } tail ? $" It said: {tail}" : "";
        return exitCode switch
        {
            _ when _shutdown is not null => $"QEMU ended ({_shutdown}) without being asked to by Virtigo.{said}",
            KilledBySignal => $"QEMU was killed by signal 9; when the host runs out of memory, its kernel does that.{said}",
            > 128 => $"QEMU was ended by signal {exitCode - 128}.{said}",
            _ => $"QEMU ended with exit code {exitCode}.{said}",
        };
    }
}
