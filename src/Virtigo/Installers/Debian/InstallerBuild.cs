using Virtigo.Installers.Ubuntu;

namespace Virtigo.Installers.Debian;

/// <summary>An installer that is ready to boot: everything verified, on the host's disk, and shared by all builds that need the same.</summary>
internal sealed record InstallerBuild
{
    /// <summary>The distribution's version of the installer, as in <c>20250803+deb13u7</c>.</summary>
    public required string Version { get; init; }

    /// <summary>The release of the kernel, as in <c>6.12.107+deb13-amd64</c>.</summary>
    public required string KernelVersion { get; init; }

    /// <summary>The kernel.</summary>
    public required string KernelPath { get; init; }

    /// <summary>The distribution's own initial file system, decompressed to a plain cpio archive.</summary>
    public required string InitrdPath { get; init; }

    /// <summary>A plain cpio archive to append: the components and the retriever that hands them over.</summary>
    public required string UdebCpioPath { get; init; }

    /// <summary>The debconf templates of the initial file system and of every component; see <see cref="InstallerTemplates"/>.</summary>
    public required string TemplatesPath { get; init; }

    /// <summary>The components, in the order in which the guest unpacks them.</summary>
    public required IReadOnlyList<InstallerComponent> Components { get; init; }

    /// <summary>Where kernel and initial file system came from.</summary>
    public required string Source { get; init; }

    /// <summary>The suite that its components are of.</summary>
    public required string Suite { get; init; }

    /// <summary>The SHA-256 of that suite's signed file.</summary>
    public required string SuiteRelease { get; init; }

    /// <summary>The medium that the installer needs besides; null when it fetches everything.</summary>
    public UbuntuMedium? Medium { get; init; }

    /// <summary>The SHA-256 of everything that this build was made of, in lower-case hexadecimal.</summary>
    public required string CacheKey { get; init; }
}

/// <summary>One component (udeb) of an installer build.</summary>
/// <param name="Name">The package's name.</param>
/// <param name="Version">Its version.</param>
/// <param name="Sha256">The hash of what the guest is given.</param>
/// <param name="Size">Its size in bytes.</param>
/// <param name="RebuiltFrom">The packages whose files it was rebuilt from; empty when it is the archive's own, byte for byte.</param>
internal sealed record InstallerComponent(
    string Name, string Version, string Sha256, long Size, IReadOnlyList<InstallerSourcePackage> RebuiltFrom);

/// <summary>A verified package of the archive that lent its files to a component.</summary>
/// <param name="Name">The package's name.</param>
/// <param name="Version">Its version.</param>
/// <param name="Sha256">The package's hash, as in the archive's index.</param>
internal sealed record InstallerSourcePackage(string Name, string Version, string Sha256);
