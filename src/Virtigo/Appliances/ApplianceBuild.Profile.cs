using Virtigo.Images;
using Virtigo.Machines;
using Virtigo.Profiles;

namespace Virtigo.Appliances;

/// <summary>What the hypervisors' profiles did in an image, seen in a machine of it.</summary>
internal sealed partial class ApplianceBuild
{
    private ImageProfile? _profile;

    /// <summary>The profile of the image and of all that it builds on; null when none of them has one.</summary>
    private ProfileImage? Profile => plan.Parts.SelectMany(part => part.Target.Profile?.Kinds ?? []).Distinct().ToArray() is { Length: > 0 } kinds
        ? new ProfileImage([.. GuestKinds.All.Where(kinds.Contains)], [])
        : null;

    private async Task LookAtProfileAsync(IGuestShell shell, CancellationToken cancellationToken)
    {
        if (_profile is not null)
        {
            // It was seen in an earlier boot of the same disk.
            return;
        }

        ProfileImage image = Profile!;
        IReadOnlyList<BuiltSetting> settings = await new ProfileImageCheck(shell.ExecuteAsync).LookAsync(image, cancellationToken);
        foreach (BuiltSetting setting in settings.Where(setting => setting.Outcome is BuiltOutcome.Otherwise or BuiltOutcome.Missing))
        {
            log.Note($"profile: {setting.Setting}: {setting.Text}.");
        }

        _profile = new ImageProfile([.. image.Kinds.Select(GuestKinds.NameOf)],
            [.. settings.Select(setting => new ImageProfileSetting(setting.Setting, OutcomeOf(setting.Outcome), setting.Text))]);
    }

    private static string OutcomeOf(BuiltOutcome outcome) => outcome switch
    {
        BuiltOutcome.Applied => "applied",
        BuiltOutcome.There => "there",
        BuiltOutcome.Otherwise => "otherwise",
        BuiltOutcome.Missing => "missing",
        BuiltOutcome.NotAtBuild => "not at build",
        _ => "not applicable",
    };
}
