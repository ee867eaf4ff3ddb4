namespace Virtigo.Profiles;

/// <summary>How a setting of a guest is.</summary>
public enum FindingVerdict
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>It works, and would work better otherwise.</summary>
    Advice,

    /// <summary>It does harm.</summary>
    Problem,

    /// <summary>It does not exist in this guest, or could not be measured; the text says why.</summary>
    NotHere,

    /// <summary>Guests of this kind do not have the setting; the text says why.</summary>
    NotApplicable,
}

/// <summary>What was found of one setting.</summary>
/// <param name="Setting">The <see cref="ProfileSetting.Name"/>.</param>
/// <param name="Verdict">How it is.</param>
/// <param name="Text">What was seen, in one sentence; what the guest said in it is without control characters.</param>
public sealed record ProfileFinding(string Setting, FindingVerdict Verdict, string Text)
{
    /// <summary>What it means, or null when all is well.</summary>
    public string? Meaning { get; init; }

    /// <summary>What was measured, or null.</summary>
    public double? Number { get; init; }

    /// <summary>The error of <see cref="Number"/>, in the same unit, or null.</summary>
    public double? Error { get; init; }

    /// <summary>The unit of <see cref="Number"/>: <c>s</c>, <c>ppm</c>, <c>Mbit/s</c>, or null.</summary>
    public string? Unit { get; init; }

    /// <summary>The command or the instruction that mends it, or null.</summary>
    public string? Mend { get; init; }

    /// <summary>Whether <see cref="GuestProfile.ApplyAsync"/> changes something for it.</summary>
    public bool Applies { get; init; }
}

/// <summary>What was found of a guest.</summary>
/// <param name="Kind">What it runs on.</param>
/// <param name="Findings">One for each setting that was asked for, also those that guests of its kind do not have.</param>
public sealed record ProfileReport(GuestKind Kind, IReadOnlyList<ProfileFinding> Findings)
{
    /// <summary>Whether something does harm.</summary>
    public bool HasProblem => Findings.Any(finding => finding.Verdict == FindingVerdict.Problem);
}

/// <summary>One thing in a guest that was changed, or left.</summary>
/// <param name="Setting">The setting it belongs to.</param>
/// <param name="Target">What: a file, a unit, a knob of the kernel's, an offload of a network card.</param>
/// <param name="Before">How it was, in a few words.</param>
/// <param name="After">How it is now.</param>
public sealed record ProfileStep(string Setting, string Target, string Before, string After)
{
    /// <summary>Why it was not changed; null when it was.</summary>
    public string? Left { get; init; }
}

/// <summary>What became of a guest's settings.</summary>
/// <param name="Steps">What was changed; empty when everything was as it should be.</param>
/// <param name="Report">What had been found; null where nothing was looked for.</param>
public sealed record ProfileOutcome(IReadOnlyList<ProfileStep> Steps, ProfileReport? Report);

/// <summary>How a guest is looked at.</summary>
public sealed record ProfileOptions
{
    /// <summary>How long the guest's clock is compared with the host's.</summary>
    public TimeSpan ClockTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How much is sent each way in each transfer, in bytes: 64 KiB to 1 GiB.</summary>
    public long TransferBytes { get; init; } = 8 << 20;

    /// <summary>The other end of transfers; null when there is none: then the network is not measured.</summary>
    public ProfilePeer? Peer { get; init; }

    /// <summary>Whether the network is to be measured when there is another end.</summary>
    public bool MeasureNetwork { get; init; } = true;

    /// <summary>Whether a command can be given input while it runs; else the clock is asked for by a command each time, which is less exact.</summary>
    public bool Streams { get; init; } = true;

    /// <summary>How commands that mend name the machine.</summary>
    public string MachineName { get; init; } = "MACHINE";

    /// <summary>Told what is being done, in a few words.</summary>
    public IProgress<string>? Progress { get; init; }

    /// <summary>Refuses what cannot be.</summary>
    /// <exception cref="VirtigoException">A value is out of its range (<see cref="FailureKind.Usage"/>).</exception>
    internal void Validate()
    {
        if (ClockTime < TimeSpan.FromSeconds(1) || ClockTime > TimeSpan.FromHours(1))
        {
            throw new VirtigoException(FailureKind.Usage, FormattableString.Invariant($"A clock is compared for 1 to 3600 seconds, not {ClockTime.TotalSeconds:0.###}."));
        }

        if (TransferBytes is < 64 << 10 or > 1 << 30)
        {
            throw new VirtigoException(FailureKind.Usage, $"A transfer has 64 KiB to 1 GiB, not {TransferBytes} bytes.");
        }
    }
}
