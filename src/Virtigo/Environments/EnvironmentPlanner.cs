using Virtigo.Appliances;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Machines;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>Decides everything about an environment, and has the images built that are missing.</summary>
/// <param name="hypervisor">What the machines will run on.</param>
/// <param name="options">Where and how.</param>
/// <param name="progress">Told what happens; null for nobody.</param>
internal sealed class EnvironmentPlanner(IHypervisor hypervisor, EnvironmentOptions options, IProgress<BuildEvent>? progress)
{
    /// <summary>Makes the plan.</summary>
    /// <exception cref="VirtigoException">An appliance cannot be built, or addresses clash.</exception>
    public async Task<EnvironmentPlan> PlanAsync(EnvironmentSpec spec, CancellationToken cancellationToken)
    {
        IReadOnlyList<NetworkPlan> networks = AddressPlanner.Networks(spec);
        Dictionary<string, IReadOnlyList<NicPlan>> nics = AddressPlanner.Nics(spec, networks);
        IReadOnlyList<OutwardPlace> places = EgressPlanner.Places(spec, networks);
        var builder = new ApplianceBuilder(options.Paths, Hypervisors.HypervisorCatalog.All(options.Paths), options.Clock);
        var plans = new List<AppliancePlan>();
        foreach (MachineSpec machine in spec.Machines)
        {
            plans.Add(await builder.PlanAsync(machine.Appliance, options.Archives, cancellationToken));
            Check(machine, plans[^1]);
        }

        var images = new Dictionary<string, (StoredImage Image, BootWay Boot)>();
        var machines = new List<MachinePlan>();
        foreach ((MachineSpec machine, AppliancePlan plan) in spec.Machines.Zip(plans))
        {
            if (!images.TryGetValue(plan.Fingerprint, out (StoredImage Image, BootWay Boot) built))
            {
                StoredImage image = await BuildAsync(builder, machine.Appliance, plan, cancellationToken);
                built = (image, await BootWay.OfAsync(hypervisor, $"machine {machine.Name} of {spec.File}", image.DiskPath, cancellationToken));
                images.Add(plan.Fingerprint, built);
            }

            ImageStore.CheckSize(built.Image, machine.DiskBytes?.Value, $"{machine.DiskBytes?.Origin}: machine {machine.Name}: disk-size: ");
            machines.Add(new MachinePlan(machine.Name, plan, built.Image, machine.MemoryMiB ?? plan.MemoryMiB.Value, machine.Cpus ?? plan.Cpus.Value, nics[machine.Name])
            {
                Boot = built.Boot,
                Control = machine.Control,
                LargerDisk = machine.DiskBytes?.Value is { } wanted && wanted > built.Image.Manifest.Disk.VirtualBytes ? wanted : null,
            });
        }

        return new EnvironmentPlan { Spec = spec, Machines = machines, Networks = networks, Places = places, Platform = await GuestPlatform.OfAsync(hypervisor, Chosen(options, hypervisor.Remembered()), cancellationToken) };
    }

    /// <summary>What guests run on: what was asked for, else what a probe found, else emulation.</summary>
    public static Accelerator Chosen(EnvironmentOptions options, AcceleratorReport? known) =>
        options.Accelerator != Accelerator.Auto ? options.Accelerator : known?.Accelerator ?? Accelerator.Tcg;

    /// <summary>Refuses a machine that cannot be, before anything is built.</summary>
    private void Check(MachineSpec machine, AppliancePlan plan)
    {
        HypervisorDemand.Check(hypervisor, HypervisorDemand.OfAppliance(machine, plan));
        if (BootWay.ObstacleOf(hypervisor, plan.Disk.Value) is { } obstacle)
        {
            throw new VirtigoException(FailureKind.Usage,
                $"{plan.Disk.Origin}: machine {machine.Name} cannot be booted by {hypervisor.Name}: {obstacle}.", "Run it by qemu, which boots all, or leave the disk as it is by default.");
        }

        if (machine.Control == MachineControl.SerialConsole && plan.Disk.Value.Passphrase is not null)
        {
            throw new VirtigoException(FailureKind.Usage,
                $"{plan.Disk.Origin}: machine {machine.Name}: an encrypted disk asks for its passphrase on the serial console, through which the machine is driven.",
                "Leave out control: serial.");
        }
    }

    private async Task<StoredImage> BuildAsync(ApplianceBuilder builder, ApplianceSpec spec, AppliancePlan plan, CancellationToken cancellationToken)
    {
        var how = new BuildOptions
        {
            Offline = options.Offline,
            AllowExpired = options.AllowExpired,
            Accelerator = options.Accelerator,
            SpecText = spec.RedactedText,
            RerunCommand = options.RerunCommand,
        };
        return (await builder.BuildAsync(plan, how, progress, cancellationToken)).Image;
    }
}
