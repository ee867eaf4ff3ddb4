using System.Text.Json;
using System.Text.Json.Serialization;

namespace Virtigo.Installers;

/// <summary>How long a stage took, and how much work it was.</summary>
/// <param name="Seconds">The time.</param>
/// <param name="Steps">The pieces of work that its log showed.</param>
internal sealed record StageTiming(double Seconds, int Steps);

/// <summary>The file of learnt timings: for each kind of guest, its stages.</summary>
internal sealed class InstallTimings
{
    /// <summary>The kinds of guest: accelerators.</summary>
    public Dictionary<string, Dictionary<InstallStage, StageTiming>> Guests { get; init; } = [];

    /// <summary>Reads the file; anything unreadable counts as nothing learnt.</summary>
    public static InstallTimings Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            InstallTimings? timings = JsonSerializer.Deserialize(json, InstallTimingsJson.Default.InstallTimings);
            return timings is { Guests: not null } && timings.Guests.Values.All(IsSound) ? timings : new InstallTimings();
        }
        catch (JsonException)
        {
            return new InstallTimings();
        }
    }

    /// <summary>The file's content.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, InstallTimingsJson.Default.InstallTimings);

    private static bool IsSound(Dictionary<InstallStage, StageTiming>? stages) =>
        stages is not null && stages.All(s => Enum.IsDefined(s.Key) && s.Value is { Seconds: >= 0 and < 1e6, Steps: >= 0 });
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(InstallTimings))]
internal sealed partial class InstallTimingsJson : JsonSerializerContext;
