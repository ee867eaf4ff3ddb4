using System.Collections.ObjectModel;
using Virtigo.Appliances;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Machines;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>Every file of one running environment on the host: sockets, disks, logs. Nothing else builds such a path. Disposing removes them.</summary>
internal sealed class EnvironmentFolder : IDisposable
{
    /// <summary>The serial port that is a machine's console.</summary>
    public const string Console = "console";

    // Forks are many and short: a smaller cache of translated code is soon full of what a test runs.
    private const int TranslationCacheMiB = 256;

    private readonly SocketFolder _sockets;
    private readonly WorkFolder _work;
    private readonly bool _raw;

    private EnvironmentFolder(SocketFolder sockets, WorkFolder work, bool raw) => (_sockets, _work, _raw) = (sockets, work, raw);

    /// <summary>Makes the folders of one environment.</summary>
    /// <param name="paths">Virtigo's directories.</param>
    /// <param name="raw">Whether its hypervisor needs the bytes of disks as they are.</param>
    public static EnvironmentFolder Create(HostPaths paths, bool raw)
    {
        SocketFolder sockets = SocketFolder.Create(paths);
        try
        {
            return new EnvironmentFolder(sockets, WorkFolder.Create(paths, "environment"), raw);
        }
        catch
        {
            sockets.Dispose();
            throw;
        }
    }

    /// <summary>The folder for files that go with the environment.</summary>
    public string Work => _work.Path;

    /// <summary>A machine's disk.</summary>
    public string Disk(MachinePlan machine) => Path.Combine(Work, $"disk-{machine.Name}.{Extension}");

    /// <summary>A further disk of a machine.</summary>
    public string Disk(MachinePlan machine, string name) => Path.Combine(Work, $"disk-{machine.Name}.{name}.{Extension}");

    /// <summary>All disks of a machine, in their order.</summary>
    public IReadOnlyList<string> Disks(MachinePlan machine) => [Disk(machine), .. machine.FurtherDisks.Select(disk => Disk(machine, disk.Name))];

    /// <summary>Makes the disks of a machine, as they were installed, and what it starts by. Nothing that is written to them gets into its image.</summary>
    public async Task MakeDisksAsync(MachinePlan machine, CancellationToken cancellationToken)
    {
        await machine.Boot.PrepareAsync(machine.Name, Work, cancellationToken);
        if (!_raw)
        {
            await ImageStore.CreateOverlayAsync(machine.Image, machine.LargerDisk, Disk(machine), cancellationToken);
            await ImageStore.OverlayFurtherAsync(machine.Image, name => Disk(machine, name), cancellationToken);
            return;
        }

        foreach (((_, string from, _), string to) in machine.Image.Disks.Zip(Disks(machine)))
        {
            await QemuImage.CopyRawAsync(from, to, cancellationToken);
        }

        if (machine.LargerDisk is { } bytes)
        {
            await QemuImage.RunAsync(
                ["resize", "-q", "-f", "raw", Disk(machine), FormattableString.Invariant($"{bytes}")], $"The disk of {machine.Name} could not be made larger.", null, cancellationToken);
        }
    }

    /// <summary>What a machine's console says.</summary>
    public string ConsoleLog(string machine) => Path.Combine(Work, $"console-{machine}.log");

    /// <summary>The machines' places on the networks.</summary>
    public IReadOnlyList<SwitchNetwork> Networks(EnvironmentPlan plan, SwitchEgress? egress) =>
    [
        .. plan.Networks.Select(network => new SwitchNetwork(network.Name, network.Subnet, network.Ipv6Prefix, network.Mtu,
            [
                .. from machine in plan.Machines.Index()
                   from nic in machine.Item.Nics.Index()
                   where nic.Item.Network == network.Name
                   select new SwitchPort(machine.Item.Name, nic.Item.Mac, nic.Item.Address, nic.Item.Ipv6, NicSocket(machine.Index, nic.Index)),
            ])
            {
                Domain = Appliances.SpecKeys.DefaultDomain,
                Egress = egress,
            }),
    ];

    /// <summary>A machine as it starts from power-off, with all that its hypervisor has of what helps and nobody has asked for.</summary>
    public GuestConfig Guest(EnvironmentHost host, EnvironmentPlan plan, int machine)
    {
        MachinePlan what = plan.Machines[machine];
        bool agent = what.Control == MachineControl.Agent;
        HypervisorCapabilities can = host.Hypervisor.Capabilities;
        return what.Boot.Start(new GuestConfig
        {
            Name = what.Name,
            WorkDirectory = MachineFolder(machine),
            Firmware = Firmwares.Of(what.Image.Manifest.Firmware),
            Cpus = what.Cpus,
            MemoryMiB = what.MemoryMiB,
            Accelerator = host.Accelerator,
            TranslationCacheMiB = TranslationCacheMiB,
            AgentChannel = agent,
            StreamChannel = agent && can.StreamChannel,
            Credentials = agent ? ReadOnlyDictionary<string, string>.Empty : RootConsole.Credentials,
            GenerationId = can.GenerationId,
            Display = can.Display,
            RestartOnReset = true,
            Disks =
            [
                new GuestDisk(Disk(what), Format) { Unsafe = true },
                .. ImageStore.FurtherDisks(what.FurtherDisks.Select(disk => disk.Name), name => Disk(what, name)).Select(disk => disk with { Format = Format }),
            ],
            Nics =
            [
                .. what.Nics.Index().Select(nic => new GuestNic(NicSocket(machine, nic.Index), nic.Item.Mac.ToString())
                {
                    Mtu = plan.Networks.First(network => network.Name == nic.Item.Network).Mtu,
                }),
            ],
            Serials = [new GuestSerial(Console) { LogFile = ConsoleLog(what.Name) }],
        }, Work);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _work.Dispose();
        _sockets.Dispose();
    }

    private string Extension => _raw ? "img" : "qcow2";

    private Hypervisors.DiskFormat Format => _raw ? Hypervisors.DiskFormat.Raw : Hypervisors.DiskFormat.Qcow2;

    // Numbers, not names: a unix socket's path must be short.
    private string MachineFolder(int machine) => Path.Combine(_sockets.Path, FormattableString.Invariant($"{machine}"));

    private string NicSocket(int machine, int nic) => Path.Combine(_sockets.Path, FormattableString.Invariant($"{machine}-net{nic}.sock"));
}
