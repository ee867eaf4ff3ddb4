using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Machines;

namespace Virtigo.Appliances;

/// <summary>An installed system that is to boot, from copies of its disks.</summary>
internal sealed record BootTrial
{
    /// <summary>The machine's name.</summary>
    public required string Name { get; init; }

    /// <summary>The disk it boots from; not written to.</summary>
    public required string DiskPath { get; init; }

    /// <summary>The names and paths of the others; not written to.</summary>
    public IReadOnlyList<(string Name, string Path)> FurtherDisks { get; init; } = [];

    /// <summary>Where the copies are while it runs.</summary>
    public required string Folder { get; init; }

    /// <summary>A folder with a short path, for sockets.</summary>
    public required string Sockets { get; init; }

    /// <summary>Keeps what its console said.</summary>
    public required string ConsoleLog { get; init; }

    /// <summary>What starts it.</summary>
    public FirmwareKind Firmware { get; init; }

    /// <summary>The number of its processors.</summary>
    public int Cpus { get; init; } = 1;

    /// <summary>Its memory, in MiB.</summary>
    public required int MemoryMiB { get; init; }

    /// <summary>What opens its disk; null when nothing need.</summary>
    public Passphrase? Passphrase { get; init; }

    /// <summary>Looks at the system when it is up and well; null for nothing more to see.</summary>
    public Func<IGuestShell, CancellationToken, Task>? Look { get; init; }

    /// <summary>Boots it; once more, when emulation may have made it crash.</summary>
    /// <param name="hypervisor">Runs it.</param>
    /// <param name="accelerator">How its code runs.</param>
    /// <param name="speed">Scales the time limit.</param>
    /// <param name="clock">Measures.</param>
    /// <param name="note">Told what people should know.</param>
    /// <param name="cancellationToken">Ends the boot.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.BootTest"/> when it does not come up well.</exception>
    public async Task<BootReport> RunAsync(
        IHypervisor hypervisor, Accelerator accelerator, HostSpeed speed, TimeProvider clock, Action<string> note, CancellationToken cancellationToken)
    {
        BootReport? report = null;
        await EmulatedBoot.RunAsync(accelerator, async () => report = await RunOnceAsync(hypervisor, accelerator, speed, clock, cancellationToken), crash =>
        {
            note($"{crash.Message} It is emulated, and emulation may be the cause: it boots once more.");
            return Task.CompletedTask;
        });
        return report!;
    }

    private async Task<BootReport> RunOnceAsync(
        IHypervisor hypervisor, Accelerator accelerator, HostSpeed speed, TimeProvider clock, CancellationToken cancellationToken)
    {
        string copies = Path.Combine(Folder, "boot-test");
        Directory.CreateDirectory(copies, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            string overlay = Path.Combine(copies, "disk.qcow2");
            await QemuImage.CreateOverlayAsync(DiskPath, overlay, cancellationToken);
            foreach ((string name, string path) in FurtherDisks)
            {
                await QemuImage.CreateOverlayAsync(path, Copy(name), cancellationToken);
            }

            var machine = new GuestConfig
            {
                Name = Name,
                WorkDirectory = Sockets,
                Firmware = Firmware,
                Cpus = Cpus,
                MemoryMiB = MemoryMiB,
                Accelerator = accelerator,
                AgentChannel = true,
                Disks = [new GuestDisk(overlay, Hypervisors.DiskFormat.Qcow2) { Unsafe = true }, .. ImageStore.FurtherDisks(FurtherDisks.Select(disk => disk.Name), Copy)],
                Serials = [new GuestSerial("console") { LogFile = ConsoleLog }],
            };
            return await new BootTest(hypervisor, clock) { Look = Look }.RunAsync(
                await ImageBoot.UnderAsync(hypervisor, machine, DiskPath, copies, cancellationToken), speed, Passphrase, cancellationToken);
        }
        finally
        {
            Directory.Delete(copies, recursive: true);
        }

        string Copy(string name) => Path.Combine(copies, $"disk-{name}.qcow2");
    }
}
