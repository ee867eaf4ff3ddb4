using Virtigo.Archives;

namespace Virtigo.Installers.Debian;

/// <summary>A component made from ordinary packages.</summary>
/// <param name="Path">The file.</param>
/// <param name="Sources">The packages that lent their files.</param>
internal sealed record RebuiltComponent(string Path, IReadOnlyList<InstallerSourcePackage> Sources);

/// <summary>
/// Makes components that the index lists but the mirror lacks, from verified packages of the same version: the same
/// control paragraph, the same files. Equal input gives equal bytes.
/// </summary>
/// <param name="suite">The suite.</param>
/// <param name="packages">The suite's ordinary packages.</param>
/// <param name="contents">The installer the components are for.</param>
/// <param name="workDirectory">A folder for the results; the caller removes it.</param>
internal sealed class ComponentRebuilder(ArchiveSuite suite, PackageIndex packages, InstallerContents contents, string workDirectory) : IDisposable
{
    private const long MaximumFileBytes = 256L * 1024 * 1024;
    private const UnixFileMode ModuleMode = (UnixFileMode)0x1A4;
    private static readonly string[] IndexFields = ["Filename", "Size", "MD5sum", "SHA1", "SHA256", "SHA512", "Description-md5"];
    private readonly HashSet<string> _modulesPresent = [.. contents.Modules];
    private (PackageEntry Entry, KernelPackage Package)? _kernel;

    public void Dispose() => _kernel?.Package.Dispose();

    /// <summary>Makes one component.</summary>
    /// <exception cref="VirtigoException">It cannot be made: the message names it and says why (<see cref="FailureKind.Archive"/>).</exception>
    public async Task<RebuiltComponent> RebuildAsync(PackageEntry component, CancellationToken cancellationToken)
    {
        try
        {
            if (KernelModuleSets.Find(component.Name, contents.KernelVersion) is { } modules)
            {
                return await ModulesAsync(component, modules, cancellationToken);
            }

            return RebuildRecipes.Find(component.Name) is { } recipe
                ? await FilesAsync(component, recipe, cancellationToken)
                : throw Impossible(component, "Virtigo does not know which packages have its files");
        }
        catch (InvalidDataException e)
        {
            throw Impossible(component, e.Message);
        }
    }

    private VirtigoException Impossible(PackageEntry component, string why) => new(FailureKind.Archive,
        (suite.IsOffline ? $"Offline, and {component.Filename} is not in the cache" : $"The mirror lacks {component.Filename}, although its index lists it")
        + $"; the component {component.Name} {component.Version} cannot be rebuilt from the archive's packages: {why}.",
        suite.IsOffline ? "Run once without --offline." : "Use a complete mirror: set 'mirror' in the spec or in the configuration.");

    private async Task<RebuiltComponent> ModulesAsync(
        PackageEntry component, IReadOnlyList<string> paths, CancellationToken cancellationToken)
    {
        (PackageEntry entry, KernelPackage kernel) = _kernel ??= await OpenKernelAsync(component, cancellationToken);
        IReadOnlyList<KernelPackage.PackagedModule> modules =
            await Task.Run(() => kernel.Select(paths, _modulesPresent), cancellationToken);
        if (modules.Count == 0 && !paths.Any(path => _modulesPresent.Contains(KernelModule.NameOf(path + ".ko")!)))
        {
            throw Impossible(component, $"{entry.Name} {entry.Version} has none of its kernel modules");
        }

        string folder = $"{(contents.Merged ? "usr/" : "")}lib/modules/{contents.KernelVersion}/";
        return await WriteAsync(component, modules.Select(module => new DebFile(folder + module.Path, ModuleMode, module.Content)), [entry],
            cancellationToken);
    }

    private async Task<(PackageEntry Entry, KernelPackage Package)> OpenKernelAsync(
        PackageEntry component, CancellationToken cancellationToken)
    {
        PackageEntry entry = SameVersion(component, ["linux-image-" + contents.KernelVersion]);
        string path = await suite.FetchPackageAsync(entry, cancellationToken);
        string spool = Path.Combine(workDirectory, "modules.spool");
        return (entry, await Task.Run(() => KernelPackage.Open(path, contents.KernelVersion, spool, cancellationToken), cancellationToken));
    }

    private async Task<RebuiltComponent> FilesAsync(PackageEntry component, RebuildRecipe recipe, CancellationToken cancellationToken)
    {
        PackageEntry[] sources = [.. recipe.Packages.Select(names => SameVersion(component, names))];
        var files = new Dictionary<string, DebFile>(StringComparer.Ordinal);
        foreach (PackageEntry source in sources)
        {
            string path = await suite.FetchPackageAsync(source, cancellationToken);
            foreach (DebFile file in await Task.Run(() => Take(path, recipe, cancellationToken), cancellationToken))
            {
                files[file.Path] = file;
            }
        }

        return files.Count > 0
            ? await WriteAsync(component, files.Values, sources, cancellationToken)
            : throw Impossible(component, $"{string.Join(", ", sources.Select(source => source.Name))} has none of its files");
    }

    private List<DebFile> Take(string path, RebuildRecipe recipe, CancellationToken cancellationToken)
    {
        var taken = new List<DebFile>();
        using DebPackage package = DebPackage.Open(path);
        foreach (DebEntry entry in package.Files())
        {
            cancellationToken.ThrowIfCancellationRequested();
            string merged = Merge(entry.Path);
            string target = contents.Merged ? merged : entry.Path;
            if (!recipe.Takes(merged))
            {
                continue;
            }

            if (entry.Type == DebEntryType.SymbolicLink)
            {
                taken.Add(new DebFile(target, entry.Mode, ReadOnlyMemory<byte>.Empty, entry.LinkTarget));
            }
            else if (entry.Type == DebEntryType.File)
            {
                taken.Add(new DebFile(target, entry.Mode, Decompression.ReadAll(entry.Content!, MaximumFileBytes, entry.Path, cancellationToken)));
            }
            else if (entry.Type == DebEntryType.HardLink
                && taken.FirstOrDefault(file => file.Path == (contents.Merged ? Merge(entry.LinkTarget!) : entry.LinkTarget)) is { } same)
            {
                taken.Add(same with { Path = target });
            }
        }

        return taken;
    }

    private static string Merge(string path) =>
        path.StartsWith("bin/", StringComparison.Ordinal) || path.StartsWith("sbin/", StringComparison.Ordinal)
        || path.StartsWith("lib", StringComparison.Ordinal)
            ? "usr/" + path
            : path;

    private PackageEntry SameVersion(PackageEntry component, IReadOnlyList<string> names)
    {
        PackageEntry[] candidates = [.. names.SelectMany(packages.FindAll)];
        return candidates.FirstOrDefault(candidate => candidate.Version == component.Version)
            ?? candidates.FirstOrDefault(candidate =>
                candidate.Source == component.Source && candidate.SourceVersion == component.SourceVersion)
            ?? throw Impossible(component, candidates.Length == 0
                ? $"the archive has no package {string.Join(" or ", names)}"
                : $"the archive has {string.Join(", ", candidates.Select(candidate => candidate.ToString()))}, which is another version");
    }

    private async Task<RebuiltComponent> WriteAsync(
        PackageEntry component, IEnumerable<DebFile> files, IEnumerable<PackageEntry> sources, CancellationToken cancellationToken)
    {
        ControlParagraph control = IndexFields.Aggregate(component.Paragraph, (paragraph, field) => paragraph.Without(field));
        string path = Path.Combine(workDirectory, component.Name + ".udeb");
        await using FileStream output = File.Create(path);
        await DebWriter.WriteAsync(output, control.ToString(), files, DateTimeOffset.UnixEpoch, cancellationToken);
        return new RebuiltComponent(path,
            [.. sources.Select(source => new InstallerSourcePackage(source.Name, source.Version.ToString(), source.Sha256))]);
    }
}
