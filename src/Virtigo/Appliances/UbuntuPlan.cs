using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Installers.Debian;
using Virtigo.Installers.Ubuntu;

namespace Virtigo.Appliances;

/// <summary>What a plan means for Ubuntu's installer.</summary>
internal static class UbuntuPlan
{
    /// <summary>Whether it is a plan of Ubuntu.</summary>
    public static bool IsUbuntu(this AppliancePlan plan) => plan.Distribution.Value == UbuntuPlanner.Distribution;

    /// <summary>The part of the plan that the installer is told, with the origins in words.</summary>
    public static UbuntuChoices ToUbuntuChoices(this AppliancePlan plan) => new(plan.ToDebianChoices())
    {
        Own = plan.Autoinstall,
        DiskOrigin = plan.Disk.Origin.ToString(),
        DiskAsked = plan.Disk.Origin.Kind != OriginKind.Default,
    };

    /// <summary>Everything of an image that is known before its medium is opened.</summary>
    public static IEnumerable<string> Recipe(AppliancePlan plan) => UbuntuSeed.Recipe(plan.ToUbuntuChoices()).Append(UbuntuBoot.CommandLine);

    /// <summary>What tells the plan's medium from others before it is read.</summary>
    public static IEnumerable<string> MediumIdentity(AppliancePlan plan) => plan.Medium is not { } medium ? []
        : [ValueChecks.IsAddress(medium.Value) ? medium.Value : UbuntuMedium.Identity(medium.Value)];

    /// <summary>The installer of a plan, ready to boot: its medium, fetched and verified when it was given by its address.</summary>
    public static async Task<InstallerBuild> AssembleAsync(ArchiveClient client, AppliancePlan plan, HostPaths paths, CancellationToken cancellationToken)
    {
        string named = plan.Medium!.Value;
        UbuntuMedium medium = ValueChecks.IsAddress(named)
            ? await new MediumFetcher(paths, client).FetchAsync(new Uri(named), MediumFetcher.FindKeyring(plan.Keyring), cancellationToken)
            : await UbuntuMedium.OfFileAsync(named, paths, cancellationToken);
        return await medium.UnpackAsync(UbuntuReleases.Find(plan.Release.Value)!, paths, cancellationToken);
    }
}
