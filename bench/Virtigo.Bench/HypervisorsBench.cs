using System.Globalization;
using Virtigo.Appliances;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Hypervisors.Uml;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Archives;

namespace Virtigo.Bench;

/// <summary>
/// QEMU against User-Mode Linux, one after the other on the same host: a kernel's boot (the probe that <c>auto</c> goes by), the boot of an installed
/// image until its agent says that all is well, and an install from the same package cache.
/// </summary>
internal static class HypervisorsBench
{
    private const int Boots = 3;

    /// <param name="image">An image in the store.</param>
    /// <param name="spec">An appliance that both can install; null to leave installs out.</param>
    public static async Task RunAsync(string image, string? spec)
    {
        HostPaths paths = HostPaths.FromEnvironment();
        StoredImage stored = new ImageStore(paths).Find(image);
        IHypervisor[] both = [new QemuHypervisor(paths), new UmlHypervisor(paths)];
        var prover = new ImageProver(paths);
        var boots = new Dictionary<string, double>();
        var installs = new Dictionary<string, double>();
        foreach (IHypervisor hypervisor in both)
        {
            var times = new List<double>();
            for (int turn = 0; turn < Boots; turn++)
            {
                times.Add((await prover.ProveAsync(stored, hypervisor, null, Console.Error.WriteLine, CancellationToken.None)).SecondsToMultiUser);
            }

            boots[hypervisor.Name] = times.Min();
            if (spec is not null)
            {
                installs[hypervisor.Name] = await InstallAsync(paths, spec, hypervisor);
            }
        }

        Print("probe (kernel boot)", both.ToDictionary(one => one.Name, one => one.Remembered()?.Speed.ProbeTime.TotalSeconds ?? double.NaN));
        Print($"boot of {stored.Name}, best of {Boots}", boots);
        if (spec is not null)
        {
            Print("install", installs);
        }

        foreach (bool trusted in (bool[])[false, true])
        {
            HypervisorChoice choice = await HypervisorChoice.MakeAsync(
                both, HypervisorChoice.Auto, new HypervisorNeeds("A copy", ImageBoot.Needs) { Trusted = trusted }, CancellationToken.None);
            Console.WriteLine($"auto, {(trusted ? "trusted" : "not trusted")}: {choice.Hypervisor.Name}, {choice.Reason}");
        }
    }

    /// <summary>The seconds that the installer took, without the boot test after it.</summary>
    private static async Task<double> InstallAsync(HostPaths paths, string spec, IHypervisor hypervisor)
    {
        ApplianceSpec appliance = await ApplianceSpec.LoadAsync(spec, new SpecOptions(), CancellationToken.None);
        appliance.UseHypervisor(hypervisor.Name);
        AppliancePlan plan = await new AppliancePlanner(HostPlanning.On(paths, new ArchiveOptions())).PlanAsync(appliance, CancellationToken.None);
        BuildResult built = await new ApplianceBuilder(paths, [hypervisor])
            .BuildAsync(plan, new BuildOptions { Full = true }, null, CancellationToken.None);
        if (hypervisor.OwnKernel is not null)
        {
            // Whoever asks for the image by its name means the one that is built by default.
            await new ImageStore(paths).RemoveAsync(built.Image.Key);
        }

        return built.Image.Manifest.Timings.Where(timing => timing.Stage is not ("archives" or "installer" or "accelerator" or "boot test" or "seal"))
            .Sum(timing => timing.Seconds);
    }

    private static void Print(string what, Dictionary<string, double> seconds) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{what}: {string.Join(", ", seconds.Select(one => $"{one.Key} {one.Value.ToString("0.0", CultureInfo.InvariantCulture)} s"))}; uml takes {seconds["uml"] / seconds["qemu"]:0.00} of qemu's time"));
}
