using Virtigo.Hypervisors;
using Virtigo.Profiles;

namespace Virtigo.Appliances;

/// <summary>The profile: what is done in an image for the hypervisors that its machines will run on.</summary>
internal sealed partial class TargetPlanner
{
    /// <summary>The word for the hypervisors that the image is for.</summary>
    public const string AutoProfile = "auto";

    /// <summary>The word for no profile.</summary>
    public const string NoProfile = "none";

    private ProfileImage? Profile(AppliancePlan plan)
    {
        if (_spec.Texts("profile") is not { Count: > 0 } words)
        {
            return null;
        }

        if (words.Distinct().Count() > 1 && words.FirstOrDefault(word => word is AutoProfile or NoProfile) is { } alone)
        {
            throw Wrong(_spec.At("profile"), $"profile: {alone} is written beside others: {string.Join(", ", words)}", $"Keep {alone}, or the names.");
        }

        if (words[0] == NoProfile)
        {
            return null;
        }

        bool isAuto = words[0] == AutoProfile;
        IReadOnlyList<string> meant = !isAuto ? words : plan.Hypervisor.Value == HypervisorChoice.Auto ? GuestKinds.Words : [plan.Hypervisor.Value];
        var profile = ProfileImage.For(meant, [.. plan.Below.SelectMany(below => below.Target.Profile?.Kinds ?? []).Distinct()]) with { KeepsConsole = plan.Disk.Value.Passphrase is not null };
        foreach (ProfileSetting setting in profile.Settings)
        {
            Need(setting, plan);
        }

        string origin = !isAuto ? "" : plan.Hypervisor.Value == HypervisorChoice.Auto ? " (auto: hypervisor is auto, so the image is for all)" : $" (auto: hypervisor is {plan.Hypervisor.Value})";
        Explain("profile", $"for guests of {string.Join(", ", profile.Kinds.Select(GuestKinds.NameOf))}{origin}");
        foreach (ProfileSetting setting in profile.Settings.Where(setting => profile.StepsOf(setting).Count > 0))
        {
            Explain("profile", $"{setting.Name}: {string.Join("; ", profile.StepsOf(setting).Select(step => step.Words))}", _spec.Place("profile"));
        }

        Explain("profile", $"not at build: {string.Join(", ", profile.Settings.Where(setting => profile.StepsOf(setting).Count == 0).Select(setting => setting.Name))}", _spec.Place("profile"));
        if (profile.NotApplicable is { Count: > 0 } others)
        {
            Explain("profile", $"not applicable: {string.Join(", ", others.Select(setting => setting.Name))}", _spec.Place("profile"));
        }

        return profile;
    }

    private void Need(ProfileSetting setting, AppliancePlan plan)
    {
        PackageWish[] wishes = [.. plan.Packages.Value.Concat(plan.Below.SelectMany(below => below.Packages.Value)).Select(PackageWish.Parse)];
        if (setting.Packages.Count > 0 && !setting.Packages.Any(package => wishes.Any(wish => wish.Name == package && !wish.Remove)))
        {
            Needs.Add(new PackageNeed(setting.Packages[0], $"the profile's {setting.Name}"));
        }
    }
}
