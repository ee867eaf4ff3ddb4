using System.Text.Json;
using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>A build that was done, by the fingerprint of its plan.</summary>
/// <param name="Fingerprint">The fingerprint of the plan: 64 lower-case hexadecimal digits.</param>
/// <param name="ImageKey">The image that it led to.</param>
/// <param name="Releases">The signed Release files that the image was made from.</param>
/// <param name="CheckedAt">When these were last known to be the archive's current ones.</param>
public sealed record RememberedBuild(string Fingerprint, string ImageKey, IReadOnlyList<RememberedRelease> Releases, DateTimeOffset CheckedAt);

/// <summary>A Release file that a build used.</summary>
/// <param name="Uri">The base address of its archive.</param>
/// <param name="Suite">The suite.</param>
/// <param name="Sha256">The SHA-256 of the signed Release file.</param>
public sealed record RememberedRelease(string Uri, string Suite, string Sha256);

/// <summary>Which plan led to which image: one small file per plan. Losing it costs a look at the archive, never an image.</summary>
internal sealed class BuildMemory(HostPaths paths)
{
    private const int MaximumBytes = 256 * 1024;

    public Task RememberAsync(RememberedBuild build, CancellationToken cancellationToken) =>
        AtomicFile.WriteAsync(
            PathOf(build.Fingerprint),
            (file, token) => JsonSerializer.SerializeAsync(file, build, ImageJson.Default.RememberedBuild, token),
            cancellationToken: cancellationToken);

    public RememberedBuild? Find(string fingerprint)
    {
        try
        {
            using var file = new FileStream(PathOf(fingerprint), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            RememberedBuild? build = file.Length > MaximumBytes ? null : JsonSerializer.Deserialize(file, ImageJson.Default.RememberedBuild);
            return build is not null && build.Fingerprint == fingerprint && ImageKey.IsValid(build.ImageKey)
                && !build.Releases.Contains(null!) ? build : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Forgets the builds whose image is gone.</summary>
    public void Forget(Func<string, bool> imageExists)
    {
        if (!Directory.Exists(paths.Builds))
        {
            return;
        }

        foreach (string path in Directory.EnumerateFiles(paths.Builds, "*.json").ToArray())
        {
            string fingerprint = Path.GetFileNameWithoutExtension(path);
            if (!ImageKey.IsValid(fingerprint) || Find(fingerprint) is not { } build || !imageExists(build.ImageKey))
            {
                File.Delete(path);
            }
        }
    }

    private string PathOf(string fingerprint) => Path.Combine(paths.Builds, ImageKey.Require(fingerprint) + ".json");
}
