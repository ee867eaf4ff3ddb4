using Virtigo.Hypervisors.Uml;
using Virtigo.Hypervisors.Xen;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>What a plan means for debian-installer.</summary>
internal static class DebianPlan
{
    /// <summary>The part of the plan that the installer is told, with the origins in words; every early package, whatever the archive has.</summary>
    public static DebianChoices ToDebianChoices(this AppliancePlan plan) => new()
    {
        Hostname = Sourced(plan.Hostname),
        Domain = Sourced(plan.Domain),
        Release = Sourced(plan.Release),
        Mirror = Sourced(plan.Mirror),
        SecurityMirror = Sourced(plan.SecurityMirror),
        Packages = new([.. plan.Packages.Value.Select(package => PackageWish.Parse(package).Apt)], plan.Packages.Origin.ToString()),
        Disk = plan.Disk.Value,
        Machine = plan.InstallMachine(),
        EarlyPackages = EarlyPackages.For(plan.Disk.Value, plan.InstallMachine(), _ => true),
        Locale = Sourced(plan.Locale),
        TimeZone = Sourced(plan.TimeZone),
        Keyboard = Sourced(plan.Keyboard),
        User = new(
            plan.User.Value is { } user ? new DebianUser(user.Name, user.Name, user.PasswordHash, user.SshKeys) : null,
            plan.User.Origin.ToString()),
        RootPasswordHash = Sourced(plan.RootPasswordHash),
        Fragment = plan.Preseed.Answers,
        Target = plan.Preseed.Debconf.Count == 0 ? plan.Target.Choices
            : plan.Target.Choices with { Debconf = [.. plan.Target.Choices.Debconf, .. plan.Preseed.Debconf] },
    };

    /// <summary>What the installer runs in.</summary>
    public static InstallMachine InstallMachine(this AppliancePlan plan) => plan.Hypervisor.Value switch
    {
        UmlHypervisor.KindName => Installers.Debian.InstallMachine.UserMode,
        XenHypervisor.KindName => Installers.Debian.InstallMachine.Xen,
        _ => Installers.Debian.InstallMachine.Virtio,
    };

    private static Sourced<T> Sourced<T>(Setting<T> setting) => new(setting.Value, setting.Origin.ToString());
}
