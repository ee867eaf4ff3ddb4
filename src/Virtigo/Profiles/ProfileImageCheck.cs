using Virtigo.Machines;

namespace Virtigo.Profiles;

/// <summary>What became of a setting in an image.</summary>
internal enum BuiltOutcome
{
    /// <summary>It was applied, and is so in a machine that runs.</summary>
    Applied,

    /// <summary>It was so without the profile.</summary>
    There,

    /// <summary>It was applied or there, and something later in the install made it otherwise.</summary>
    Otherwise,

    /// <summary>The system has no such thing.</summary>
    Missing,

    /// <summary>Nothing is done for it before a machine runs.</summary>
    NotAtBuild,

    /// <summary>None of the guests that the image is for has it.</summary>
    NotApplicable,
}

/// <summary>What became of a setting in an image.</summary>
/// <param name="Setting">The setting.</param>
/// <param name="Outcome">What became of it.</param>
/// <param name="Text">The same in words.</param>
internal sealed record BuiltSetting(string Setting, BuiltOutcome Outcome, string Text);

/// <summary>Looks in a machine of an image, which runs for the first time, at what its profile did.</summary>
/// <param name="run">Runs commands in it.</param>
internal sealed class ProfileImageCheck(GuestCommand run)
{
    private static readonly CommandOptions s_options = new() { OutputLimit = ProfileState.MaxBytes + 1, Limit = TimeSpan.FromMinutes(2) };

    /// <summary>Looks.</summary>
    /// <param name="image">What was to be done.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Every setting there is.</returns>
    /// <exception cref="VirtigoException">The guest does not answer, or keeps nonsense (<see cref="FailureKind.Guest"/>).</exception>
    public async Task<IReadOnlyList<BuiltSetting>> LookAsync(ProfileImage image, CancellationToken cancellationToken)
    {
        CommandResult kept = await run(ProfileState.ReadCommand, s_options, cancellationToken);
        ProfileState state = ProfileState.Parse(kept.Output);
        var all = new List<BuiltSetting>();
        foreach (ProfileSetting setting in ProfileTable.All)
        {
            KeptChange[] changes = [.. state.Changes.Where(change => change.Setting == setting.Name)];
            all.Add(!image.Settings.Contains(setting) ? new BuiltSetting(setting.Name, BuiltOutcome.NotApplicable, setting.NotFor!)
                : setting.Build is null ? new BuiltSetting(setting.Name, BuiltOutcome.NotAtBuild, setting.AtBuild)
                : changes.Length > 0 ? await AppliedAsync(setting.Name, changes, cancellationToken)
                : await ThereAsync(setting.Name, image.StepsOf(setting), cancellationToken));
        }

        return all;
    }

    private async Task<BuiltSetting> AppliedAsync(string setting, KeptChange[] changes, CancellationToken cancellationToken)
    {
        var words = new List<string>();
        bool otherwise = false;
        foreach (KeptChange change in changes)
        {
            ProfileChange wanted = new(change.Kind, change.Target, change.After);
            string now = await StateAsync(wanted, cancellationToken);
            otherwise |= !wanted.IsMet(now);
            words.Add($"{change.Target}: {wanted.Words(change.Before)} -> {wanted.Words(change.After)}{(wanted.IsMet(now) ? "" : $", and is {wanted.Words(now)} now")}");
        }

        return new BuiltSetting(setting, otherwise ? BuiltOutcome.Otherwise : BuiltOutcome.Applied, string.Join("; ", words));
    }

    private async Task<BuiltSetting> ThereAsync(string setting, IReadOnlyList<BuildStep> steps, CancellationToken cancellationToken)
    {
        var words = new List<string>();
        foreach (BuildStep step in steps)
        {
            if (step.Argument is { } argument)
            {
                words.Add($"{argument} is among the arguments that GRUB gives");
                continue;
            }

            string? seen = null;
            foreach (string target in step.Targets)
            {
                ProfileChange change = new(step.Kind, target, step.Wanted);
                string now = await StateAsync(change, cancellationToken);
                if (change.IsMet(now))
                {
                    seen = $"{target} runs";
                    break;
                }

                seen ??= now.StartsWith("none", StringComparison.Ordinal) || now.StartsWith("not-found", StringComparison.Ordinal) ? null : $"{target} is {change.Words(now)}";
            }

            if (seen?.EndsWith(" runs", StringComparison.Ordinal) != true)
            {
                return seen is null ? new BuiltSetting(setting, BuiltOutcome.Missing, $"the system has no {string.Join(", no ", step.Targets)}")
                    : new BuiltSetting(setting, BuiltOutcome.Otherwise, seen);
            }

            words.Add(seen);
        }

        return new BuiltSetting(setting, BuiltOutcome.There, string.Join("; ", words));
    }

    private async Task<string> StateAsync(ProfileChange change, CancellationToken cancellationToken)
    {
        CommandResult read = await run(change.ReadCommand(), s_options, cancellationToken);
        string state = read.Output.Trim();
        return ProfileChange.IsState(change.Kind, state) ? state
            : throw new VirtigoException(FailureKind.Guest, $"{change.Target} cannot be read in the machine: exit code {read.ExitCode}.", "Look at the machine.");
    }
}
