using System.Text;
using System.Text.RegularExpressions;
using Virtigo.Archives;

namespace Virtigo.Installers.Debian;

/// <summary>What an installer's initial file system holds: its build, kernel and the components already inside.</summary>
/// <param name="Version">The version of the build, as in <c>20250803+deb13u7</c>; null when it does not say.</param>
/// <param name="KernelVersion">The release of the kernel that its modules are for.</param>
/// <param name="Components">The names of the components inside and everything that they provide.</param>
/// <param name="Modules">The names of its kernel modules, as the kernel knows them.</param>
/// <param name="Merged">Whether <c>bin</c>, <c>lib</c> and <c>sbin</c> are links into <c>usr</c>.</param>
internal sealed partial record InstallerContents(
    string? Version, string KernelVersion, IReadOnlyList<string> Components, IReadOnlyList<string> Modules, bool Merged)
{
    private const int MaximumStatusBytes = 4 * 1024 * 1024;
    private const int MaximumTemplatesBytes = 16 * 1024 * 1024;
    private const int MaximumReleaseBytes = 64 * 1024;
    private const string TemplatesSuffix = ".templates";

    /// <summary>Reads an initial file system.</summary>
    /// <param name="initrd">A plain cpio archive.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>What it holds, and the debconf templates by component.</returns>
    /// <exception cref="InvalidDataException">It is damaged, or not the initial file system of a Debian installer.</exception>
    public static async Task<(InstallerContents Contents, IReadOnlyDictionary<string, string> Templates)> ReadAsync(
        Stream initrd, CancellationToken cancellationToken)
    {
        var reader = new CpioReader(initrd);
        var modules = new SortedSet<string>(StringComparer.Ordinal);
        var kernels = new SortedSet<string>(StringComparer.Ordinal);
        var templates = new Dictionary<string, string>(StringComparer.Ordinal);
        (string? status, string? version, bool merged) = (null, null, false);

        async Task<string> TextAsync(int limit) => Encoding.UTF8.GetString(await reader.ReadContentAsync(limit, cancellationToken));

        while (await reader.ReadAsync(cancellationToken) is { } entry)
        {
            merged |= entry is { Path: "lib", Type: CpioEntryType.Symlink };
            if (entry.Type != CpioEntryType.File)
            {
                continue;
            }

            if (ModulePath().Match(entry.Path) is { Success: true } module)
            {
                kernels.Add(module.Groups["kernel"].Value);
                if (KernelModule.NameOf(entry.Path) is { } name)
                {
                    modules.Add(name);
                }
            }
            else if (entry.Path == "var/lib/dpkg/status")
            {
                status = await TextAsync(MaximumStatusBytes);
            }
            else if (entry.Path == "etc/lsb-release")
            {
                version = BuildVersion().Match(await TextAsync(MaximumReleaseBytes)) is { Success: true } build ? build.Groups[1].Value : null;
            }
            else if (entry.Path.StartsWith("var/lib/dpkg/info/", StringComparison.Ordinal)
                && entry.Path.EndsWith(TemplatesSuffix, StringComparison.Ordinal))
            {
                templates[Path.GetFileName(entry.Path)[..^TemplatesSuffix.Length]] = await TextAsync(MaximumTemplatesBytes);
            }
        }

        if (status is null || kernels.Count != 1)
        {
            throw new InvalidDataException(status is null
                ? "it has no var/lib/dpkg/status with the components inside"
                : $"it should have the modules of one kernel but has those of {(kernels.Count == 0 ? "none" : string.Join(", ", kernels))}");
        }

        return (new InstallerContents(version, kernels.Min!, [.. Names(status)], [.. modules], merged), templates);
    }

    private static SortedSet<string> Names(string status)
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (ControlParagraph component in ControlFile.Parse(status, "the installer's var/lib/dpkg/status"))
        {
            if (component["Package"] is { } name)
            {
                names.Add(name);
            }

            names.UnionWith(Dependency.Parse(component["Provides"]).SelectMany(provided => provided.Alternatives).Select(one => one.Name));
        }

        return names;
    }

    [GeneratedRegex("^(usr/)?lib/modules/(?<kernel>[^/]+)/", RegexOptions.ExplicitCapture)]
    private static partial Regex ModulePath();

    [GeneratedRegex("installer build ([^\\s\"]+)")]
    private static partial Regex BuildVersion();
}
