namespace Virtigo.Images;

/// <summary>Whether an image is what its manifest says.</summary>
/// <param name="Disk">Whether the disk is what was sealed.</param>
/// <param name="Packages">How the packages on the disk differ from the manifest's; empty when they agree, null when they cannot be read.</param>
/// <param name="NotRead">Why the packages cannot be read; null when they can.</param>
public sealed record ImageCheck(ImageVerification Disk, IReadOnlyList<ImageDifference>? Packages, string? NotRead)
{
    /// <summary>Whether nothing speaks against it.</summary>
    public bool IsIntact => Disk.IsIntact && Packages is null or { Count: 0 };
}

public sealed partial class ImageStore
{
    /// <summary>Checks an image against its manifest: the disk's hash, and the packages that dpkg's list on the disk names.</summary>
    /// <param name="image">The image.</param>
    /// <param name="progress">Told the part done, 0 to 1.</param>
    /// <param name="cancellationToken">Ends the checking.</param>
    public async Task<ImageCheck> CheckAsync(StoredImage image, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        ImageVerification disk = await VerifyAsync(image, progress, cancellationToken);
        using ImageLease lease = await LeaseAsync(image, cancellationToken);
        try
        {
            using ImageFiles files = await Task.Run(() => ImageFiles.Open(image.DiskPath), cancellationToken);
            files.RequireRoot();
            return await Task.Run(() => InstalledPackages.Read(files), cancellationToken) is { } installed
                ? new ImageCheck(disk, Differences(ImageAspect.Packages, ImageFacts.Packages(image.Manifest),
                    ImageFacts.Packages(image.Manifest with { Packages = installed })), null)
                : new ImageCheck(disk, null, "The image has no list of dpkg's that can be read.");
        }
        catch (VirtigoException error)
        {
            return new ImageCheck(disk, null, error.Message);
        }
    }

    /// <summary>Compares two images: what their manifests say, and the files on their disks.</summary>
    /// <param name="before">The first image.</param>
    /// <param name="after">The second image.</param>
    /// <param name="aspects">What to compare; everything when empty.</param>
    /// <param name="cancellationToken">Ends the comparing.</param>
    /// <exception cref="VirtigoException">A disk is damaged (<see cref="FailureKind.Host"/>).</exception>
    public async Task<ImageComparison> CompareAsync(
        StoredImage before, StoredImage after, IReadOnlyCollection<ImageAspect> aspects, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        ArgumentNullException.ThrowIfNull(aspects);
        using ImageLease one = await LeaseAsync(before, cancellationToken);
        using ImageLease two = await LeaseAsync(after, cancellationToken);
        return await Task.Run(() => Compare(before, after, aspect => aspects.Count == 0 || aspects.Contains(aspect), cancellationToken), cancellationToken);
    }

    internal static List<ImageDifference> Differences(ImageAspect aspect, Dictionary<string, string> before, Dictionary<string, string> after) =>
        [.. before.Keys.Union(after.Keys).Order(StringComparer.Ordinal)
            .Select(name => new ImageDifference(aspect, name, before.GetValueOrDefault(name), after.GetValueOrDefault(name)))
            .Where(found => found.Before != found.After)];

    private static ImageComparison Compare(StoredImage before, StoredImage after, Func<ImageAspect, bool> wanted, CancellationToken cancellationToken)
    {
        var found = new List<ImageDifference>();
        if (wanted(ImageAspect.Plan))
        {
            found.AddRange(Differences(ImageAspect.Plan, ImageFacts.Plan(before.Manifest), ImageFacts.Plan(after.Manifest)));
        }

        if (wanted(ImageAspect.Packages))
        {
            found.AddRange(Differences(ImageAspect.Packages, ImageFacts.Packages(before.Manifest), ImageFacts.Packages(after.Manifest)));
        }

        if (!(wanted(ImageAspect.Kernel) || wanted(ImageAspect.Units) || wanted(ImageAspect.Users) || wanted(ImageAspect.Files)) || before.Key == after.Key)
        {
            return new ImageComparison(found, []);
        }

        ImageComparison disks = CompareDisks(before.DiskPath, after.DiskPath, wanted, cancellationToken);
        string[] further = [.. before.Manifest.FurtherDisks.Concat(after.Manifest.FurtherDisks).Select(disk => disk.Name).Distinct()];
        return disks with
        {
            Differences = [.. found, .. disks.Differences],
            NotCompared = further.Length == 0 ? disks.NotCompared : [.. disks.NotCompared, $"The files on further disks were not compared: {string.Join(", ", further)}."],
        };
    }

    /// <summary>Compares what is on two disks.</summary>
    /// <param name="before">The first disk.</param>
    /// <param name="after">The second disk.</param>
    /// <param name="wanted">Tells what to compare of kernel options, units, users and files.</param>
    /// <param name="cancellationToken">Ends the comparing.</param>
    /// <exception cref="VirtigoException">A disk is damaged (<see cref="FailureKind.Host"/>).</exception>
    internal static ImageComparison CompareDisks(string before, string after, Func<ImageAspect, bool> wanted, CancellationToken cancellationToken)
    {
        using var one = ImageFiles.Open(before);
        using var two = ImageFiles.Open(after);
        try
        {
            one.RequireRoot();
            two.RequireRoot();
        }
        catch (VirtigoException error)
        {
            return new ImageComparison([], ["The files were not compared: " + error.Message]);
        }

        var found = new List<ImageDifference>();
        foreach ((ImageAspect aspect, Func<ImageFiles, Dictionary<string, string>> facts) in ((ImageAspect, Func<ImageFiles, Dictionary<string, string>>)[])
            [(ImageAspect.Kernel, ImageFacts.Kernel), (ImageAspect.Units, ImageFacts.Units), (ImageAspect.Users, ImageFacts.Users)])
        {
            if (wanted(aspect))
            {
                found.AddRange(Differences(aspect, facts(one), facts(two)));
            }
        }

        if (wanted(ImageAspect.Files))
        {
            found.AddRange(FileDifferences(one, two, cancellationToken));
        }

        return new ImageComparison(found, []);
    }

    private static IEnumerable<ImageDifference> FileDifferences(ImageFiles before, ImageFiles after, CancellationToken cancellationToken)
    {
        Dictionary<string, ImageEntry> first = ImageFacts.Files(before), second = ImageFacts.Files(after);
        foreach (string path in first.Keys.Union(second.Keys).Order(StringComparer.Ordinal))
        {
            cancellationToken.ThrowIfCancellationRequested();
            ImageEntry? old = first.GetValueOrDefault(path), young = second.GetValueOrDefault(path);
            string? was = old is null ? null : ImageFacts.Describe(old), now = young is null ? null : ImageFacts.Describe(young);
            if (old is { Kind: ImageEntryKind.File } && young is { Kind: ImageEntryKind.File } && (was == now || Exclusions.HasIdentifiers(path)))
            {
                string wasContent = ImageFacts.Hash(before, old, cancellationToken), nowContent = ImageFacts.Hash(after, young, cancellationToken);
                if (wasContent != nowContent)
                {
                    yield return new ImageDifference(ImageAspect.Files, path, $"{was}, {wasContent[..12]}", $"{now}, {nowContent[..12]}");
                    continue;
                }
            }

            if (was != now)
            {
                yield return new ImageDifference(ImageAspect.Files, path, was, now);
            }
        }
    }
}
