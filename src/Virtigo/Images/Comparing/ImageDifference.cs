namespace Virtigo.Images;

/// <summary>What two images can differ in.</summary>
public enum ImageAspect
{
    /// <summary>Values of the plan.</summary>
    Plan,

    /// <summary>Packages and their versions.</summary>
    Packages,

    /// <summary>What the kernel is told at boot.</summary>
    Kernel,

    /// <summary>Units of systemd that are enabled, masked or aliased.</summary>
    Units,

    /// <summary>Users and groups.</summary>
    Users,

    /// <summary>Files: kind, mode, owner, target and content.</summary>
    Files,
}

/// <summary>One difference between two images. Names and values of files are a guest's words.</summary>
/// <param name="Aspect">In what they differ.</param>
/// <param name="Name">What differs: a key, a package, a path.</param>
/// <param name="Before">What it is in the first image; null when it is not there.</param>
/// <param name="After">What it is in the second image; null when it is not there.</param>
public sealed record ImageDifference(ImageAspect Aspect, string Name, string? Before, string? After);

/// <summary>How two images differ.</summary>
/// <param name="Differences">The differences, by aspect and then by name.</param>
/// <param name="NotCompared">What could not be compared, and why; empty when all was.</param>
public sealed record ImageComparison(IReadOnlyList<ImageDifference> Differences, IReadOnlyList<string> NotCompared)
{
    /// <summary>Whether no difference was found.</summary>
    public bool IsSame => Differences.Count == 0;
}
