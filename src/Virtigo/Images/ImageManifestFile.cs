using System.Globalization;
using System.Text.Json;
using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>Reads and writes <c>manifest.json</c>. Whatever a file holds, reading it ends in a manifest or in a sentence.</summary>
internal static class ImageManifestFile
{
    private const int MaximumBytes = 64 * 1024 * 1024;

    /// <summary>Writes a manifest atomically.</summary>
    public static Task WriteAsync(string path, ImageManifest manifest, CancellationToken cancellationToken) =>
        AtomicFile.WriteAsync(
            path,
            (file, token) => JsonSerializer.SerializeAsync(file, manifest, ImageJson.Default.ImageManifest, token),
            UnixFileMode.UserRead | UnixFileMode.UserWrite,
            cancellationToken);

    /// <summary>Reads a manifest from a file.</summary>
    /// <param name="path">The manifest's file.</param>
    /// <param name="key">The key under which the image is stored.</param>
    public static ManifestReading Read(string path, string key)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            if (file.Length > MaximumBytes)
            {
                return ManifestReading.Broken($"manifest.json has {file.Length} bytes, more than {MaximumBytes}");
            }

            byte[] content = new byte[file.Length];
            file.ReadExactly(content);
            return Parse(content, key);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return ManifestReading.Broken("manifest.json is missing");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return ManifestReading.Broken($"manifest.json cannot be read: {error.Message}");
        }
    }

    /// <summary>Reads a manifest from its bytes.</summary>
    public static ManifestReading Parse(ReadOnlySpan<byte> content, string key)
    {
        try
        {
            if (SchemaOf(content) is var schema && schema != ImageManifest.CurrentSchema)
            {
                return ManifestReading.Broken(schema is null
                    ? "manifest.json has no schema number"
                    : string.Create(CultureInfo.InvariantCulture,
                        $"manifest.json has schema {schema}, this Virtigo reads {ImageManifest.CurrentSchema}"));
            }

            ImageManifest? manifest = JsonSerializer.Deserialize(content, ImageJson.Default.ImageManifest);
            return manifest is null ? ManifestReading.Broken("manifest.json is empty")
                : Fault(manifest, key) is { } fault ? ManifestReading.Broken($"manifest.json: {fault}")
                : new ManifestReading(manifest, null);
        }
        catch (JsonException error)
        {
            return ManifestReading.Broken($"manifest.json is damaged: {error.Message}");
        }
    }

    // Read before the rest: a manifest of another schema need not have the shape of ours.
    private static long? SchemaOf(ReadOnlySpan<byte> content)
    {
        var reader = new Utf8JsonReader(content, new JsonReaderOptions { MaxDepth = 16 });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return null;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool wanted = reader.ValueTextEquals("schema"u8);
            if (!reader.Read())
            {
                return null;
            }

            if (wanted)
            {
                return reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long schema) ? schema : null;
            }

            reader.Skip();
        }

        return null;
    }

    // The serialiser guarantees members, not the elements of lists.
    private static string? Fault(ImageManifest manifest, string key) =>
        manifest.Key != key ? $"it belongs to {manifest.Key}"
        : manifest.Name.Length == 0 ? "the name is empty"
        : manifest.Plan.Contains(null!) || manifest.Archives.Contains(null!) || manifest.Packages.Contains(null!)
            || manifest.Materials.Contains(null!) || manifest.Timings.Contains(null!) || manifest.NetworkCards.Contains(null!)
            || manifest.Installer.Components.Contains(null!) || manifest.BootTest.FailedUnits.Contains(null!) || manifest.Proofs.Contains(null!)
            || manifest.Profile.Guests.Contains(null!) || manifest.Profile.Settings.Contains(null!) ? "a list has an empty entry"
        : manifest.Disk.VirtualBytes <= 0 || manifest.Disk.FileBytes <= 0 || manifest.Disk.AllocatedBytes < 0 ? "the disk has no size"
        : !ImageKey.IsValid(manifest.Disk.Sha256) ? "the disk has no SHA-256"
        : null;
}

/// <summary>What came of reading a manifest: the manifest, or why there is none.</summary>
internal readonly record struct ManifestReading(ImageManifest? Manifest, string? Problem)
{
    public static ManifestReading Broken(string problem) => new(null, problem);
}
