using System.Globalization;
using Virtigo.Appliances;
using Virtigo.Environments.Steps;
using Virtigo.Hypervisors;

namespace Virtigo.Environments;

/// <summary>Something that an environment or its tests ask of the hypervisor.</summary>
/// <param name="Place">Where it is written.</param>
/// <param name="What">It, to begin a sentence.</param>
/// <param name="Lack">Why guests with some capabilities cannot have it, in a clause; null when they can.</param>
internal sealed record HypervisorDemand(string Place, string What, Func<HypervisorCapabilities, string?> Lack)
{
    /// <summary>The feature that it is, where it is one.</summary>
    public string? Feature { get; private init; }

    /// <summary>The demand for a feature.</summary>
    public static HypervisorDemand Of(string place, string what, string feature)
    {
        var wanted = HypervisorFeature.Of(feature);
        return new(place, what, can => wanted.IsIn(can) ? null : wanted.LackIn(can)) { Feature = feature };
    }

    /// <summary>The demand for so many of something.</summary>
    public static HypervisorDemand Count(string place, string what, int count, Func<HypervisorCapabilities, int> limit) =>
        new(place, what, can => count <= limit(can) ? null : string.Create(CultureInfo.InvariantCulture, $"at most {limit(can)}"));

    /// <summary>What steps ask for.</summary>
    public static IEnumerable<HypervisorDemand> OfSteps(IEnumerable<Step> steps) =>
        steps.Where(step => step.Needs is not null).Select(step => Of(step.Place.ToString(), SpecProblems.Quote(step.Title), step.Needs!));

    /// <summary>What an appliance asks for as a machine: nothing of it is written in the environment's own file.</summary>
    public static IEnumerable<HypervisorDemand> OfAppliance(MachineSpec machine, AppliancePlan plan)
    {
        string what = $"machine {machine.Name}: ";
        if (machine.Cpus is null)
        {
            yield return Cpus(plan.Cpus.Origin.ToString(), what, plan.Cpus.Value);
        }

        if (plan.Firmware.Value == FirmwareKind.Uefi)
        {
            yield return new HypervisorDemand(plan.Firmware.Origin.ToString(), what + "UEFI", can => can.DiskBoot && !can.Uefi ? HypervisorFeature.Of("uefi").LackIn(can) : null);
        }

        if (plan.Disk.Value.Passphrase is not null)
        {
            yield return new HypervisorDemand(plan.Disk.Origin.ToString(), what + "an encrypted disk", can => can.DiskBoot ? null : HypervisorFeature.Of("disk boot").LackIn(can));
        }
    }

    /// <summary>The demand for processors.</summary>
    public static HypervisorDemand Cpus(string place, string what, int cpus) =>
        Count(place, string.Create(CultureInfo.InvariantCulture, $"{what}{cpus} processors"), cpus, can => can.MaxCpus);

    /// <summary>Refuses what a hypervisor cannot do.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: everything that it cannot, each with its place.</exception>
    public static void Check(IHypervisor hypervisor, IEnumerable<HypervisorDemand> demands)
    {
        string[] refusals =
        [
            .. from demand in demands
               let lack = demand.Lack(hypervisor.Capabilities)
               where lack is not null
               select $"{demand.Place}: {demand.What} cannot be run by {hypervisor.Name}: {lack}",
        ];
        if (refusals.Length > 0)
        {
            throw new VirtigoException(FailureKind.Usage, string.Join('\n', refusals),
                $"Leave it out, or take another hypervisor: 'virtigo doctor' shows what each can do, and '{HypervisorChoice.Auto}' takes one that forks machines.");
        }
    }
}
