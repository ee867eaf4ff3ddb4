using System.Text.Json;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>
/// Concludes from what the client told why a guest ended: QEMU's own events say most, libvirt's say the rest. libvirt keeps the exit code of QEMU
/// to itself.
/// </summary>
internal sealed class LibvirtExitWatch
{
    /// <summary>What stands for an exit code that nobody tells.</summary>
    public const int UnknownCode = -1;

    private readonly Lock _gate = new();
    private readonly QemuExitWatch _qemu = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _told = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _byGuest;
    private bool _crashed;
    private string? _stop;

    /// <summary>Completes when libvirt has put the domain away.</summary>
    public Task Stopped => _stopped.Task;

    /// <summary>Completes when QEMU has told why it ends.</summary>
    public Task Told => _told.Task;

    /// <summary>The guest has ended in a way of which QEMU tells more.</summary>
    public bool HasMoreToTell
    {
        get
        {
            lock (_gate)
            {
                return _byGuest || _crashed;
            }
        }
    }

    /// <summary>Takes note of an event.</summary>
    /// <returns>Whether the guest must be ended now: it waits for a disk of the host's that will not get better.</returns>
    public bool See(LibvirtEvent value)
    {
        lock (_gate)
        {
            switch (value)
            {
                case LibvirtEvent.Monitor { Value: { } told } when told.Data.ValueKind is JsonValueKind.Object or JsonValueKind.Undefined:
                    bool mustEnd = told.Data.ValueKind == JsonValueKind.Object && _qemu.See(told);
                    if (told.Name == "SHUTDOWN")
                    {
                        _told.TrySetResult();
                    }

                    return mustEnd;
                case LibvirtEvent.Lifecycle { Kind: "Shutdown", Detail: "Finished after guest request" }:
                    _byGuest = true;
                    return false;
                case LibvirtEvent.Lifecycle { Kind: "Crashed" }:
                    _crashed = true;
                    return false;
                case LibvirtEvent.Lifecycle { Kind: "Stopped", Detail: { } detail }:
                    _stop ??= detail;
                    _stopped.TrySetResult();
                    return false;
                default:
                    return false;
            }
        }
    }

    /// <summary>Says why the guest ended.</summary>
    /// <param name="killed">We killed it.</param>
    /// <param name="said">What QEMU said.</param>
    /// <param name="panic">The kernel's last words on a serial port, or null.</param>
    /// <param name="client">What the client said when it gave the connection up, or null.</param>
    /// <param name="command">How the domain was made.</param>
    public GuestExit Conclude(bool killed, string said, string? panic, string? client, string command)
    {
        lock (_gate)
        {
            GuestExit exit = _qemu.Conclude(killed, UnknownCode, said, panic, command);
            if (exit.Reason == GuestExitReason.HypervisorDied)
            {
                (GuestExitReason reason, string detail) = Fallback(panic, client);
                exit = exit with { Reason = reason, Detail = detail + (reason == GuestExitReason.HypervisorDied && said.Length > 0 ? $" It said: {said}" : "") };
            }

            return exit with { ExitCode = exit.Reason is GuestExitReason.GuestShutdown or GuestExitReason.GuestReset ? 0 : UnknownCode };
        }
    }

    private (GuestExitReason Reason, string Detail) Fallback(string? panic, string? client) => _stop switch
    {
        _ when _crashed || (_byGuest && panic is not null) =>
            (GuestExitReason.GuestPanicked, panic is null ? "The guest's kernel panicked." : $"The guest's kernel panicked: {panic}"),
        _ when _byGuest => (GuestExitReason.GuestShutdown, "The guest powered off."),
        "Failed" => (GuestExitReason.HypervisorDied, "QEMU ended without having been asked to; when the host runs out of memory, its kernel does that."),
        "Destroyed" => (GuestExitReason.HypervisorDied, "Somebody else ended the domain in libvirt."),
        not null => (GuestExitReason.HypervisorDied, $"The domain in libvirt ended ({_stop}) without being asked to by Virtigo."),
        null when client is not null => (GuestExitReason.HypervisorDied, $"The connection to libvirt broke, and the guest with it: {client}"),
        null => (GuestExitReason.HypervisorDied, "QEMU ended, and libvirt did not say why."),
    };
}
