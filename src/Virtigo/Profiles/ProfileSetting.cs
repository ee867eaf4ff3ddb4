namespace Virtigo.Profiles;

/// <summary>What was measured of a guest; null what was not.</summary>
/// <param name="Clock">Its clock.</param>
/// <param name="Network">Its network.</param>
/// <param name="NoNetwork">Why the network was not measured.</param>
internal sealed record ProfileMeasurements(ClockMeasurement? Clock, NetworkMeasurement? Network, string? NoNetwork)
{
    /// <summary>Whether the network was not measured because there is no other machine.</summary>
    public bool NoPeer { get; init; }
}

/// <summary>What a setting says of a guest.</summary>
/// <param name="Finding">What is told.</param>
/// <param name="Changes">What mends it in the guest, in order; empty when nothing is to be done, or it cannot be done there.</param>
internal sealed record Judgment(ProfileFinding Finding, IReadOnlyList<ProfileChange> Changes)
{
    /// <summary>How far the guest's clock is to be moved, in seconds; null for not at all.</summary>
    public double? StepClock { get; init; }

    /// <summary>The same with what a person can do about it.</summary>
    public Judgment Mended(string mend) => this with { Finding = Finding with { Mend = mend } };
}

/// <summary>One setting of a profile: a row of the table.</summary>
public sealed class ProfileSetting
{
    internal ProfileSetting(string name, string what, string why, string read, string applied, string reverted, IReadOnlyList<GuestKind> kinds,
        Func<ProfileSetting, GuestFacts, ProfileMeasurements, Judgment> judge) =>
        (Name, What, Why, Read, Applied, Reverted, Kinds, Judge) = (name, what, why, read, applied, reverted, kinds, (facts, measured) => judge(this, facts, measured));

    /// <summary>Its name, as the command takes it.</summary>
    public string Name { get; }

    /// <summary>What it is.</summary>
    public string What { get; }

    /// <summary>The trap that it avoids.</summary>
    public string Why { get; }

    /// <summary>How it is read in the guest.</summary>
    public string Read { get; }

    /// <summary>How it is applied, at once and for later boots.</summary>
    public string Applied { get; }

    /// <summary>How it is taken back.</summary>
    public string Reverted { get; }

    /// <summary>The kinds of guests that have it in their profile.</summary>
    public IReadOnlyList<GuestKind> Kinds { get; }

    /// <summary>Why guests of other kinds do not have it, as the rest of a sentence; null when all have it.</summary>
    public string? NotFor { get; internal init; }

    /// <summary>What is done for it in an image that is built with a profile, or why nothing is.</summary>
    public string AtBuild { get; internal init; } = "Nothing.";

    /// <summary>The packages of which an image needs one; the first is the one to install.</summary>
    internal IReadOnlyList<string> Packages { get; init; } = [];

    /// <summary>What is done for it in an image; null for nothing.</summary>
    internal Func<ProfileImage, IReadOnlyList<BuildStep>>? Build { get; init; }

    /// <summary>The names of all settings.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. ProfileTable.All.Select(setting => setting.Name)];

    /// <summary>What it says of a guest.</summary>
    internal Func<GuestFacts, ProfileMeasurements, Judgment> Judge { get; }

    internal Judgment Ok(string text) => new(new ProfileFinding(Name, FindingVerdict.Ok, text), []);

    /// <summary>A guest of another kind does not have it.</summary>
    internal Judgment NotApplicable(GuestKind kind) => new(new ProfileFinding(Name, FindingVerdict.NotApplicable, "not applicable: " + (kind == GuestKind.Unknown
        ? $"what this guest runs on is not known, and it is for guests of {string.Join(", ", Kinds.Select(GuestKinds.NameOf))}"
        : NotFor)), []);

    internal Judgment NotHere(string text) => new(new ProfileFinding(Name, FindingVerdict.NotHere, text), []);

    /// <summary>Something is wrong, and mended by changes in the guest.</summary>
    internal Judgment Wrong(FindingVerdict verdict, string text, params ProfileChange[] changes) =>
        new(new ProfileFinding(Name, verdict, text) { Meaning = Why, Applies = changes.Length > 0 }, changes);

    /// <summary>Something is wrong that only the host, or whoever installed the guest, can mend.</summary>
    internal Judgment Elsewhere(FindingVerdict verdict, string text, string mend) =>
        new(new ProfileFinding(Name, verdict, text) { Meaning = Why, Mend = mend }, []);
}
