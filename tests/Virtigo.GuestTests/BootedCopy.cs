using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Machines;

namespace Virtigo.GuestTests;

/// <summary>What is said of the disk of a copy that is not as its image's.</summary>
/// <param name="Bytes">Its size in bytes; null for the image's.</param>
/// <param name="Passphrase">What opens it; null when nothing need.</param>
public sealed record BootedDisk(long? Bytes, string? Passphrase);

/// <summary>A booted machine on a throw-away copy of a disk, driven through its agent.</summary>
public sealed class BootedCopy : IAsyncDisposable
{
    private readonly IGuest _guest;
    private readonly SocketFolder _sockets;
    private readonly WorkFolder _work;
    private readonly IDisposable _place;
    private readonly GuestAgent _agent;
    private Task _unlocking = Task.CompletedTask;

    private BootedCopy(IGuest guest, SocketFolder sockets, WorkFolder work, IDisposable place)
    {
        (_guest, _sockets, _work, _place) = (guest, sockets, work, place);
        _agent = new GuestAgent(guest.Agent!, TimeProvider.System);
    }

    public static async Task<BootedCopy> StartAsync(
        IHypervisor hypervisor, HostPaths paths, string disk, string? network, FirmwareKind firmware, IDisposable place, BootedDisk? larger,
        CancellationToken cancellationToken)
    {
        SocketFolder sockets = SocketFolder.Create(paths);
        WorkFolder work = WorkFolder.Create(paths, "test");
        string overlay = Path.Combine(work.Path, "overlay.qcow2");
        await QemuImage.CreateOverlayAsync(disk, larger?.Bytes, overlay, cancellationToken);
        IGuest guest = await hypervisor.StartAsync(
            new GuestConfig
            {
                Firmware = firmware,
                Name = "test",
                WorkDirectory = sockets.Path,
                MemoryMiB = 1024,
                AgentChannel = true,
                Nics = network is null ? [] : [new GuestNic(network)],
                Disks = [new GuestDisk(overlay, Virtigo.Hypervisors.DiskFormat.Qcow2) { Unsafe = true }],
                Serials = [new GuestSerial("console") { LogFile = Path.Combine(work.Path, "console.log") }],
            },
            cancellationToken);
        var machine = new BootedCopy(guest, sockets, work, place)
        {
            _unlocking = larger?.Passphrase is { } passphrase
                ? DiskUnlock.AnswerAsync(guest.OpenSerial("console"), new Passphrase(passphrase, ""), TimeProvider.System, cancellationToken)
                : Task.CompletedTask,
        };
        await machine._agent.WaitAsync(cancellationToken);
        await machine.ShellAsync("systemctl is-system-running --wait", cancellationToken);
        return machine;
    }

    public string ConsoleLog => File.ReadAllText(Path.Combine(_work.Path, "console.log"));

    /// <summary>Runs a shell command and returns its output without the last line end, whatever its exit code.</summary>
    public async Task<string> ShellAsync(string command, CancellationToken cancellationToken)
    {
        GuestCommandResult result = await _agent.RunAsync("/bin/sh", ["-c", command], cancellationToken);
        return result.OutputText.TrimEnd();
    }

    /// <summary>Runs a shell command as a profile does.</summary>
    public async Task<Virtigo.Machines.CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken)
    {
        await using var shell = new AgentShell(_agent, TimeProvider.System);
        return await shell.ExecuteAsync(command, options, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _agent.Dispose();
        await _guest.DisposeAsync();
        await _unlocking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _work.Dispose();
        _sockets.Dispose();
        _place.Dispose();
    }
}
