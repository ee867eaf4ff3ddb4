using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>What is said of the disk of a copy that is not as its image's.</summary>
/// <param name="Bytes">Its size in bytes; null for the image's.</param>
/// <param name="Passphrase">What opens it; null when nothing need.</param>
public sealed record BootedDisk(long? Bytes, string? Passphrase);

/// <summary>A booted machine on a throw-away copy of a disk, driven through its agent.</summary>
public sealed class BootedCopy : IAsyncDisposable
{
    private static readonly CommandOptions s_patient = new() { Limit = TimeSpan.FromMinutes(10) };
    private readonly SocketFolder _sockets;
    private readonly WorkFolder _work;
    private readonly Machine _machine;
    private readonly IDisposable _place;

    private BootedCopy(SocketFolder sockets, WorkFolder work, Machine machine, IDisposable place) =>
        (_sockets, _work, _machine, _place) = (sockets, work, machine, place);

    public static async Task<BootedCopy> StartAsync(
        HostPaths paths, AcceleratorReport accelerator, string disk, string? network, FirmwareKind firmware, BootedDisk? larger, IDisposable place,
        CancellationToken cancellationToken)
    {
        var sockets = SocketFolder.Create(paths);
        var work = WorkFolder.Create(paths, "test");
        string overlay = Path.Combine(work.Path, "overlay.qcow2");
        var copy = new BootedCopy(sockets, work, new Machine(new MachineConfig
        {
            Name = "copy",
            Hypervisor = new QemuHypervisor(paths),
            Speed = accelerator.Speed,
            Passphrase = larger?.Passphrase is { } passphrase ? new Passphrase(passphrase, "") : null,
            Guest = new GuestConfig
            {
                Firmware = firmware,
                Name = "test",
                WorkDirectory = sockets.Path,
                MemoryMiB = 1024,
                Accelerator = accelerator.Accelerator,
                AgentChannel = true,
                Nics = network is null ? [] : [new GuestNic(network)],
                Disks = [new GuestDisk(overlay, Virtigo.Hypervisors.DiskFormat.Qcow2) { Unsafe = true }],
                Serials = [new GuestSerial("console") { LogFile = Path.Combine(work.Path, "console.log") }],
            },
        }), place);
        try
        {
            await EmulatedBoot.RunAsync(accelerator.Accelerator, async () =>
            {
                await QemuImage.CreateOverlayAsync(disk, larger?.Bytes, overlay, cancellationToken);
                await copy._machine.StartAsync(cancellationToken);
                await copy._machine.WaitUntilReadyAsync(cancellationToken);
                await copy.ShellAsync("systemctl is-system-running --wait", cancellationToken);
            }, async crash =>
            {
                TestContext.Current.SendDiagnosticMessage("{0} It boots once more.", crash.Message);
                await copy._machine.PowerCutAsync(cancellationToken);
                File.Delete(overlay);
            });
            return copy;
        }
        catch
        {
            await copy.DisposeAsync();
            throw;
        }
    }

    public string ConsoleLog => File.ReadAllText(Path.Combine(_work.Path, "console.log"));

    /// <summary>Runs a shell command and returns its output without the last line end, whatever its exit code.</summary>
    public async Task<string> ShellAsync(string command, CancellationToken cancellationToken) =>
        (await _machine.ExecuteAsync(command, s_patient, cancellationToken)).Output.TrimEnd();

    /// <summary>Runs a shell command.</summary>
    public Task<Machines.CommandResult> ExecuteAsync(string command, CommandOptions options, CancellationToken cancellationToken) =>
        _machine.ExecuteAsync(command, options, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _machine.DisposeAsync();
        _work.Dispose();
        _sockets.Dispose();
        _place.Dispose();
    }
}
