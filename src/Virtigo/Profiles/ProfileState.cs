using System.Text.Json;
using System.Text.Json.Serialization;
using Virtigo.Host;

namespace Virtigo.Profiles;

/// <summary>One thing that was changed in a guest.</summary>
/// <param name="Setting">The setting.</param>
/// <param name="Kind">What kind of thing.</param>
/// <param name="Target">Which.</param>
/// <param name="Before">How it was before the first change.</param>
/// <param name="After">How it was after the last.</param>
internal sealed record KeptChange(string Setting, ChangeKind Kind, string Target, string Before, string After)
{
    /// <summary>The change back.</summary>
    public ProfileChange Back() => new(Kind, Target, Before);
}

/// <summary>What a profile changed in a guest, as the guest keeps it. The guest may have written anything there.</summary>
/// <param name="Changes">The changes, first to last.</param>
internal sealed record ProfileState(IReadOnlyList<KeptChange> Changes)
{
    /// <summary>The file in the guest.</summary>
    public const string Path = "/var/lib/virtigo/profile.json";

    /// <summary>The most that is read of it, in bytes.</summary>
    public const int MaxBytes = 96 << 10;

    private const int MaxChanges = 200;

    /// <summary>The command that prints it; prints nothing when there is none.</summary>
    public static string ReadCommand { get; } = $"if [ -e {Path} ]; then head -c {MaxBytes + 1} {Path}; fi";

    /// <summary>Reads it.</summary>
    /// <param name="text">What the guest has there.</param>
    /// <exception cref="VirtigoException">It is nothing that a profile wrote (<see cref="FailureKind.Guest"/>).</exception>
    public static ProfileState Parse(string text)
    {
        if (text.Length == 0)
        {
            return new ProfileState([]);
        }

        ProfileState? state = null;
        string why = text.Length > MaxBytes ? "it is too long" : "it has no list of changes, or too long a one";
        try
        {
            state = text.Length > MaxBytes ? null : JsonSerializer.Deserialize(text, ProfileJson.Default.ProfileState);
        }
        catch (JsonException wrong)
        {
            why = $"it is no JSON of a profile, line {(wrong.LineNumber ?? 0) + 1}";
        }

        if (state is { Changes: { Count: <= MaxChanges } changes } && changes.FirstOrDefault(change => !IsSound(change)) is var unsound)
        {
            return unsound is null && changes.All(change => change is not null) ? state : throw Wrong("it names what no profile changes");
        }

        throw Wrong(why);
    }

    /// <summary>The command that keeps it; an empty one is removed.</summary>
    /// <exception cref="VirtigoException">It is longer than what is read again (<see cref="FailureKind.Guest"/>): a file of the guest's that would be replaced is too large.</exception>
    public string WriteCommand()
    {
        if (Changes.Count == 0)
        {
            return $"rm -f {Path} && {{ rmdir {System.IO.Path.GetDirectoryName(Path)} 2>/dev/null || true; }}";
        }

        string text = JsonSerializer.Serialize(this, ProfileJson.Default.ProfileState);
        return text.Length > MaxBytes
            ? throw new VirtigoException(FailureKind.Guest, $"What was before cannot be kept in {Path}: it has {text.Length} characters, more than {MaxBytes}.", "Nothing is changed that cannot be taken back.")
            : $"mkdir -p {System.IO.Path.GetDirectoryName(Path)} && printf %s {ShellQuote.Word(text)} > {Path}.new && sync {Path}.new && mv {Path}.new {Path}";
    }

    /// <summary>With one more change: what a thing was before its first change stays.</summary>
    public ProfileState With(KeptChange change)
    {
        KeptChange[] all = [.. Changes.Select(kept => Same(kept, change) ? kept with { After = change.After } : kept)];
        return new ProfileState(Changes.Any(kept => Same(kept, change)) ? all : [.. all, change]);
    }

    /// <summary>Without the changes of one thing.</summary>
    public ProfileState Without(KeptChange change) => new([.. Changes.Where(kept => !Same(kept, change))]);

    private static bool Same(KeptChange one, KeptChange other) => (one.Kind, one.Target) == (other.Kind, other.Target);

    private static bool IsSound(KeptChange? change) => change is { Setting: not null, Target: not null, Before: not null, After: not null }
        && ProfileSetting.Names.Contains(change.Setting) && ProfileTargets.IsKnown(change.Kind, change.Target)
        && ProfileChange.IsState(change.Kind, change.Before) && ProfileChange.IsState(change.Kind, change.After);

    private static VirtigoException Wrong(string why) => new(FailureKind.Guest, $"What the guest keeps of its profile in {Path} cannot be used: {why}.",
        "Look at the file; when it is removed, what it names stays as it is.");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(ProfileState))]
internal sealed partial class ProfileJson : JsonSerializerContext;
