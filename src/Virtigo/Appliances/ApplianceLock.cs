using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Virtigo.Host;
using Virtigo.Images;

namespace Virtigo.Appliances;

/// <summary>
/// What an appliance was last built from, to build it from the same again: the file <c>web.lock</c> beside <c>web.yml</c>. A build with a lock
/// uses the archives as they were signed then, whatever they have by now.
/// </summary>
public sealed record ApplianceLock
{
    /// <summary>The layout version that this build of Virtigo writes and reads.</summary>
    public const int CurrentSchema = 1;

    /// <summary>The largest file that is read as a lock, in bytes.</summary>
    public const int MaxFileBytes = 16 << 20;

    /// <summary>The extension of locks, with its dot.</summary>
    public const string Extension = ".lock";

    /// <summary>The layout version.</summary>
    public required int Schema { get; init; }

    /// <summary>The fingerprint of the plan that was locked; one of another fingerprint uses the archives, but other packages may come out.</summary>
    public required string Plan { get; init; }

    /// <summary>When it was locked.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>The codename of the release.</summary>
    public required string Release { get; init; }

    /// <summary>The suites, each with its signed file.</summary>
    public required IReadOnlyList<LockedSuite> Suites { get; init; }

    /// <summary>The suite that the installer is of: the release, or the release under another name.</summary>
    public required LockedSuite Installer { get; init; }

    /// <summary>Every package of the result.</summary>
    public required IReadOnlyList<ImagePackage> Packages { get; init; }

    /// <summary>Every file that the guest fetches: what the cache must have for a build without a network.</summary>
    public required IReadOnlyList<LockedFile> Files { get; init; }

    /// <summary>The lock file of a spec.</summary>
    /// <param name="specFile">The path of the spec.</param>
    public static string PathFor(string specFile) => Path.ChangeExtension(specFile, Extension);

    /// <summary>The lock file of one of the appliances that a file describes.</summary>
    /// <param name="specFile">The path of the file.</param>
    /// <param name="spec">The appliance.</param>
    public static string PathFor(string specFile, ApplianceSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return spec.InMatrix ? Path.Combine(Path.GetDirectoryName(specFile) ?? "", spec.Name.Value + Extension) : PathFor(specFile);
    }

    /// <summary>The lock of an image.</summary>
    /// <param name="plan">The plan that led to it.</param>
    /// <param name="manifest">What is known of the image.</param>
    /// <param name="now">The time.</param>
    public static ApplianceLock Of(AppliancePlan plan, ImageManifest manifest, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(manifest);
        return new ApplianceLock
        {
            Schema = CurrentSchema,
            Plan = plan.Fingerprint,
            Created = now,
            Release = plan.Release.Value,
            Suites = [.. manifest.Archives.Select(archive => new LockedSuite(archive.Uri, archive.Suite, archive.ReleaseSha256))],
            Installer = manifest.Installer.Suite.Length > 0
                ? new LockedSuite(manifest.Archives[0].Uri, manifest.Installer.Suite, manifest.Installer.SuiteRelease)
                : throw new VirtigoException(FailureKind.Usage, "The image does not say which installer made it: an older Virtigo built it.", "Build it anew with --force, then lock it."),
            Packages = manifest.Packages,
            Files =
            [
                .. manifest.Materials.Select(file => new LockedFile(file.Url[(file.Url.LastIndexOf('/') + 1)..], file.Sha256, file.Size))
                    .DistinctBy(file => file.Sha256).OrderBy(file => file.Name, StringComparer.Ordinal).ThenBy(file => file.Sha256, StringComparer.Ordinal),
            ],
        };
    }

    /// <summary>Reads a lock.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: it cannot be read, or is no lock of this version.</exception>
    public static async Task<ApplianceLock> LoadAsync(string path, CancellationToken cancellationToken)
    {
        ApplianceLock? read;
        try
        {
            await using FileStream file = File.OpenRead(path);
            read = file.Length > MaxFileBytes ? throw Broken(path, $"it has {file.Length} bytes; expected at most {MaxFileBytes}")
                : await JsonSerializer.DeserializeAsync(file, ApplianceLockJson.Default.ApplianceLock, cancellationToken);
        }
        catch (JsonException error)
        {
            string place = error.LineNumber is { } line ? string.Create(CultureInfo.InvariantCulture, $":{line + 1}:{error.BytePositionInLine + 1}") : "";
            throw Broken(path + place, "it is no JSON of a lock" + (error.Path is { Length: > 1 } where ? $", at {where}" : ""));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Usage, $"The lock {path} cannot be read: {error.Message}", inner: error);
        }

        return read is null ? throw Broken(path, "it is empty")
            : read.Schema != CurrentSchema ? throw Broken(path, $"its schema is {read.Schema}; this Virtigo reads {CurrentSchema}")
            : read.Wrong() is { } wrong ? throw Broken(path, wrong)
            : read;
    }

    /// <summary>Writes the lock, whole or not at all. Equal locks give equal files.</summary>
    /// <param name="path">The file; replaced when present.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    public Task SaveAsync(string path, CancellationToken cancellationToken) =>
        AtomicFile.WriteTextAsync(path, JsonSerializer.Serialize(this, ApplianceLockJson.Default.ApplianceLock) + "\n", cancellationToken);

    /// <summary>What the packages of a build differ in; null when they are those of the lock.</summary>
    internal string? Difference(IEnumerable<ImagePackage> packages)
    {
        const int most = 20;
        ImagePackage[] now = [.. packages];
        string[] changes = [.. Packages.Except(now).Select(package => "-" + Shown(package)).Concat(now.Except(Packages).Select(package => "+" + Shown(package)))];
        return changes.Length == 0 ? null
            : string.Join(", ", changes.Take(most)) + (changes.Length > most ? $" and {changes.Length - most} more" : "");
    }

    private static string Shown(ImagePackage package) => $"{package.Name} {package.Version}";

    private string? Wrong() =>
        Suites.Contains(null!) || Packages.Contains(null!) || Files.Contains(null!) ? "an entry is missing"
        : Suites.Select(suite => suite.Sha256).Concat(Files.Select(file => file.Sha256)).Append(Installer.Sha256).Append(Plan).FirstOrDefault(hash => !ImageKey.IsValid(hash)) is { } bad
            ? $"{SpecProblems.Quote(bad)} is no SHA-256 in lower-case hexadecimal"
        : ValueChecks.Release(Release) is { } problem ? $"release: {SpecProblems.Quote(Release)} {problem}"
        : null;

    private static VirtigoException Broken(string path, string problem) =>
        new(FailureKind.Usage, $"{path}: {problem}.", "Lock anew with virtigo lock --update, or take the file back from where it came.");
}

/// <summary>A suite, as it was signed when it was locked.</summary>
/// <param name="Archive">The archive it was of; the distribution's own suites are taken from any mirror.</param>
/// <param name="Suite">The suite.</param>
/// <param name="Sha256">The SHA-256 of its signed file.</param>
public sealed record LockedSuite(string Archive, string Suite, string Sha256);

/// <summary>A file that the guest fetches.</summary>
/// <param name="Name">Its name, without the path.</param>
/// <param name="Sha256">Its SHA-256.</param>
/// <param name="Size">Its size in bytes.</param>
public sealed record LockedFile(string Name, string Sha256, long Size);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, MaxDepth = 16,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ApplianceLock))]
internal sealed partial class ApplianceLockJson : JsonSerializerContext;
