using Virtigo.Machines;

namespace Virtigo.Profiles;

/// <summary>
/// The profile of a guest: what is known of its hypervisor, as settings that can be looked at, applied and taken back. Everything goes
/// through commands in the guest; what was before is kept there, in <c>/var/lib/virtigo/profile.json</c>.
/// </summary>
/// <param name="run">Runs commands in the guest, as root.</param>
/// <param name="clock">The host's clock; null for the system's.</param>
public sealed class GuestProfile(GuestCommand run, TimeProvider? clock = null)
{
    private const string TakeItBack = "What was changed before it can be taken back: virtigo profile revert MACHINE";
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(10);
    private readonly TimeProvider _clock = clock ?? TimeProvider.System;

    /// <summary>The settings of a kind of guest.</summary>
    /// <param name="kind">What it runs on.</param>
    public static IReadOnlyList<ProfileSetting> SettingsOf(GuestKind kind) => [.. ProfileTable.Of(kind)];

    /// <summary>The settings that a kind of guest does not have; <see cref="ProfileSetting.NotFor"/> says why.</summary>
    /// <param name="kind">What it runs on.</param>
    public static IReadOnlyList<ProfileSetting> NotApplicableTo(GuestKind kind) => [.. ProfileTable.NotOf(kind)];

    /// <summary>Looks at a guest. Its offloads are as they were afterwards; nothing else is touched.</summary>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when it does not answer, <see cref="FailureKind.Usage"/> for options that cannot be.</exception>
    public async Task<ProfileReport> CheckAsync(ProfileOptions options, CancellationToken cancellationToken)
    {
        options.Validate();
        (GuestKind kind, IReadOnlyList<Judgment> judgments) = await JudgeAsync(options, [], cancellationToken);
        return Report(kind, judgments, options);
    }

    /// <summary>Applies what a look finds wrong, as far as it can be mended in the guest. A second time changes nothing.</summary>
    /// <param name="settings">The <see cref="ProfileSetting.Name"/>s; none for all.</param>
    /// <param name="options">How the guest is looked at.</param>
    /// <param name="cancellationToken">Gives up; what was changed by then is kept in mind and can be taken back.</param>
    /// <exception cref="VirtigoException">As of <see cref="CheckAsync"/>; and when there is no such setting, or the guest does not take one.</exception>
    public async Task<ProfileOutcome> ApplyAsync(IReadOnlyList<string> settings, ProfileOptions options, CancellationToken cancellationToken)
    {
        options.Validate();
        foreach (string name in settings)
        {
            Known(name);
        }

        ProfileState state = await StateAsync(cancellationToken);
        (GuestKind kind, IReadOnlyList<Judgment> judgments) = await JudgeAsync(options, settings, cancellationToken);
        var steps = new List<ProfileStep>();
        foreach (Judgment judgment in judgments)
        {
            string setting = judgment.Finding.Setting;
            if (judgment.StepClock is { } by)
            {
                await StepClockAsync(by, cancellationToken);
                steps.Add(new ProfileStep(setting, "the clock", judgment.Finding.Text, FormattableString.Invariant($"moved by {by:+0.000;-0.000} s")));
            }

            foreach (ProfileChange change in judgment.Changes)
            {
                options.Progress?.Report($"{setting}: {change.Target}");
                string before = await ReadAsync(change, cancellationToken);
                if (!change.IsMet(before))
                {
                    (state, string after) = await ChangeAsync(state, setting, change, before, cancellationToken);
                    steps.Add(new ProfileStep(setting, change.Target, change.Words(before), change.Words(after)));
                }
            }
        }

        return new ProfileOutcome(steps, Report(kind, judgments, options));
    }

    /// <summary>
    /// Takes back whatever was applied, last to first. What somebody else changed since is left, and told; so is what is no longer there. What cannot
    /// be taken back holds nothing up: it is kept in mind, and told at the end.
    /// </summary>
    /// <param name="cancellationToken">Gives up; what was not yet taken back can be later.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the guest does not answer, or does not take something; the rest was taken back.</exception>
    public async Task<ProfileOutcome> RevertAsync(CancellationToken cancellationToken)
    {
        ProfileState state = await StateAsync(cancellationToken);
        var steps = new List<ProfileStep>();
        var failures = new List<string>();
        foreach (KeptChange kept in state.Changes.Reverse().ToArray())
        {
            (ProfileStep? step, string? failure) = await TakeBackAsync(kept, cancellationToken);
            if (failure is not null)
            {
                failures.Add(failure);
                continue;
            }

            steps.AddRange(step is null ? [] : [step]);
            state = state.Without(kept);
            await KeepAsync(state, cancellationToken);
        }

        return failures.Count == 0 ? new ProfileOutcome(steps, null) : throw new VirtigoException(FailureKind.Guest,
            $"{string.Join(" ", failures)} {(steps.Count == 0 ? "Nothing else was to be taken back." : $"Taken back was: {string.Join(", ", steps.Where(step => step.Left is null).Select(step => step.Target))}.")}",
            "What failed is kept in mind: mend it in the machine, and do it again.");
    }

    /// <summary>Takes one change back; it may be as it was, gone, or somebody else's by now. A failure is told, not thrown.</summary>
    private async Task<(ProfileStep? Step, string? Failure)> TakeBackAsync(KeptChange kept, CancellationToken cancellationToken)
    {
        const string gone = "gone";
        ProfileChange back = kept.Back();
        try
        {
            if (back.ThereCommand() is { } there && !(await run(there, new CommandOptions(), cancellationToken)).Succeeded)
            {
                return (new ProfileStep(kept.Setting, kept.Target, gone, gone) { Left = "it is no longer in the guest" }, null);
            }

            string now = await ReadAsync(back, cancellationToken);
            if (back.IsMet(now))
            {
                return (null, null);
            }

            if (!(back with { Wanted = kept.After }).IsMet(now))
            {
                return (new ProfileStep(kept.Setting, kept.Target, back.Words(now), back.Words(now)) { Left = "it was changed by somebody else since" }, null);
            }

            await WriteAsync(back, cancellationToken);
            return (new ProfileStep(kept.Setting, kept.Target, back.Words(now), back.Words(kept.Before)), null);
        }
        catch (VirtigoException failure) when (failure is { Kind: FailureKind.Guest, Hint: TakeItBack })
        {
            return (null, failure.Message);
        }
    }

    private static void Known(string name)
    {
        if (!ProfileSetting.Names.Contains(name))
        {
            throw new VirtigoException(FailureKind.Usage,
                $"There is no setting '{name}'{(Host.NearMatches.Of(name, ProfileSetting.Names) is [string near, ..] ? $"; did you mean {near}?" : ".")}",
                $"Settings: {string.Join(", ", ProfileSetting.Names)}.");
        }
    }

    private static ProfileReport Report(GuestKind kind, IReadOnlyList<Judgment> judgments, ProfileOptions options) => new(kind,
        [.. judgments.Select(judgment => judgment.Finding is { Applies: true } finding
            ? finding with { Mend = $"virtigo profile apply {options.MachineName} {finding.Setting}" }
            : judgment.Finding)]);

    private static VirtigoException Failed(string what, CommandResult result)
    {
        const int most = 300;
        string said = string.Concat((result.Error + result.Output).Select(letter => letter is >= ' ' and < '\x7f' ? letter : ' ')).Trim();
        return new VirtigoException(FailureKind.Guest, $"{what}: exit code {result.ExitCode}{(said.Length > 0 ? $", {said[Math.Max(0, said.Length - most)..]}" : "")}.",
            TakeItBack);
    }

    private async Task<(GuestKind Kind, IReadOnlyList<Judgment> Judgments)> JudgeAsync(
        ProfileOptions options, IReadOnlyList<string> settings, CancellationToken cancellationToken)
    {
        CommandResult said = await run(GuestFacts.Script, new CommandOptions { OutputLimit = GuestFacts.MaxBytes }, cancellationToken);
        GuestFacts facts = GuestFacts.Parse(said.Output);
        ProfileSetting[] asked = [.. ProfileTable.All.Where(setting => settings.Count == 0 || settings.Contains(setting.Name))];
        ProfileSetting[] wanted = [.. asked.Intersect(ProfileTable.Of(facts.Kind))];
        ClockMeasurement? time = null;
        if (wanted.Any(setting => setting.Name is "clock" or "clocksource"))
        {
            options.Progress?.Report($"the clock, for {options.ClockTime.TotalSeconds:0} s");
            time = await new ClockMeter(run, _clock, options.Streams).MeasureAsync(options.ClockTime, cancellationToken);
        }

        (NetworkMeasurement? network, string? none) = wanted.Any(setting => setting.Name is "network" or "offloads")
            ? await MeasureNetworkAsync(facts, options, cancellationToken)
            : (null, null);
        var measured = new ProfileMeasurements(time, network, none) { NoPeer = options is { MeasureNetwork: true, Peer: null } };
        return (facts.Kind, [.. asked.Select(setting => wanted.Contains(setting) ? setting.Judge(facts, measured) : setting.NotApplicable(facts.Kind))]);
    }

    private async Task<(NetworkMeasurement? Network, string? None)> MeasureNetworkAsync(GuestFacts facts, ProfileOptions options, CancellationToken cancellationToken)
    {
        if (options is not { MeasureNetwork: true, Peer: { } peer })
        {
            return (null, options.MeasureNetwork ? "there is no other machine to measure against" : "not asked for");
        }

        if (facts.NicAt(peer.GuestAddress) is not { } card)
        {
            return (null, $"no card of the guest has the address {peer.GuestAddress}");
        }

        try
        {
            return (await new NetworkMeter(run, options).MeasureAsync(card, cancellationToken), null);
        }
        catch (VirtigoException failure) when (failure.Kind is FailureKind.Guest or FailureKind.TimedOut)
        {
            return (null, failure.Message);
        }
    }

    private async Task<ProfileState> StateAsync(CancellationToken cancellationToken)
    {
        CommandResult kept = await run(ProfileState.ReadCommand, new CommandOptions { OutputLimit = ProfileState.MaxBytes + 1 }, cancellationToken);
        return kept.Succeeded ? ProfileState.Parse(kept.Output) : throw Failed($"{ProfileState.Path} cannot be read", kept);
    }

    private async Task KeepAsync(ProfileState state, CancellationToken cancellationToken)
    {
        CommandResult kept = await run(state.WriteCommand(), new CommandOptions { OutputLimit = ProfileState.MaxBytes }, cancellationToken);
        if (!kept.Succeeded)
        {
            throw Failed($"{ProfileState.Path} cannot be written", kept);
        }
    }

    /// <summary>Changes a thing; what was before is kept in mind first, so that it can be taken back whatever happens.</summary>
    private async Task<(ProfileState State, string After)> ChangeAsync(
        ProfileState state, string setting, ProfileChange change, string before, CancellationToken cancellationToken)
    {
        state = state.With(new KeptChange(setting, change.Kind, change.Target, before, change.Wanted == ProfileChange.On ? before : change.Wanted));
        await KeepAsync(state, cancellationToken);
        string after = await WriteAsync(change, cancellationToken);
        if (change.Wanted == ProfileChange.On)
        {
            state = state.With(new KeptChange(setting, change.Kind, change.Target, before, after));
            await KeepAsync(state, cancellationToken);
        }

        return (state, after);
    }

    private async Task<string> ReadAsync(ProfileChange change, CancellationToken cancellationToken)
    {
        CommandResult read = await run(change.ReadCommand(), new CommandOptions { OutputLimit = ProfileChange.MaxState + 1 }, cancellationToken);
        string state = read.Output.Trim();
        return read.Succeeded && ProfileChange.IsState(change.Kind, state) ? state : throw Failed($"{change.Target} cannot be read", read);
    }

    private async Task<string> WriteAsync(ProfileChange change, CancellationToken cancellationToken)
    {
        CommandResult written = await run(change.WriteCommand(change.Wanted), new CommandOptions { OutputLimit = ProfileState.MaxBytes, Limit = s_longest }, cancellationToken);
        string after = await ReadAsync(change, cancellationToken);
        return change.IsMet(after) ? after : throw Failed($"{change.Target} did not become {change.Words(change.Wanted)}", written);
    }

    private async Task StepClockAsync(double seconds, CancellationToken cancellationToken)
    {
        const double most = 1e9;
        const double nanoseconds = 1e9;
        string by = ((long)(Math.Clamp(seconds, -most, most) * nanoseconds)).ToString(System.Globalization.CultureInfo.InvariantCulture);
        CommandResult moved = await run(GuestMeter.Command("step-clock", by), new CommandOptions(), cancellationToken);
        if (!moved.Succeeded)
        {
            throw Failed("The clock cannot be moved", moved);
        }
    }
}
