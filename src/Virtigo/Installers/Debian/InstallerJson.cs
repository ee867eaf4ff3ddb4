using System.Text.Json;
using System.Text.Json.Serialization;

namespace Virtigo.Installers.Debian;

/// <summary>What is remembered of an unpacked installer.</summary>
/// <param name="Source">Where kernel and initial file system came from, for people.</param>
/// <param name="SourceVersion">The version of the package they came from; null for the images directory.</param>
/// <param name="Contents">What the initial file system holds.</param>
internal sealed record InstallerBaseRecord(string Source, string? SourceVersion, InstallerContents Contents);

/// <summary>What is remembered of an assembled set of components.</summary>
/// <param name="Components">The components, in order.</param>
internal sealed record InstallerComponentsRecord(IReadOnlyList<InstallerComponent> Components);

/// <summary>Reads and writes what is remembered of installers.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(InstallerBaseRecord))]
[JsonSerializable(typeof(InstallerComponentsRecord))]
internal sealed partial class InstallerJson : JsonSerializerContext
{
    /// <summary>Reads a record.</summary>
    /// <returns>The record, or null when there is none or it cannot be read: it is then made again.</returns>
    public static async Task<T?> TryReadAsync<T>(
        string path, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            await using FileStream file = File.OpenRead(path);
            return await JsonSerializer.DeserializeAsync(file, type, cancellationToken);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }
}
