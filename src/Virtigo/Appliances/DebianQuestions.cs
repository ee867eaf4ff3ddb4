using System.Text;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>The questions that Debian's installer can ask, as the packages of a verified archive declare them.</summary>
public static class DebianQuestions
{
    private const string Component = "main";
    private const string Architecture = "amd64";

    /// <summary>Reads the questions of the archive's stable release: from the cache, or fetched when they are not there.</summary>
    /// <param name="paths">Virtigo's directories.</param>
    /// <param name="options">How archives are used; offline, only the cache is read.</param>
    /// <param name="fetching">Called before anything is fetched; null for nobody.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="VirtigoException">No mirror is known, or the archive or the cache cannot give the questions.</exception>
    public static Task<TemplateCatalog> LoadAsync(
        HostPaths paths, ArchiveOptions options, Action? fetching, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ArgumentNullException.ThrowIfNull(options);
        return LoadAsync(paths, options, SourceAsync, DefaultComponents.ForAppliance, fetching, cancellationToken);

        async Task<ArchiveSource> SourceAsync(ArchiveOptions how)
        {
            var planner = new AppliancePlanner(HostPlanning.On(paths, how));
            AppliancePlan plan = await planner.PlanAsync(ApplianceSpec.ForDistribution("debian"), cancellationToken);
            return new ArchiveSource(plan.Mirror.Value, plan.Release.Value, [Component], plan.OtherMirrors.Value);
        }
    }

    /// <inheritdoc cref="LoadAsync(HostPaths, ArchiveOptions, Action, CancellationToken)"/>
    internal static async Task<TemplateCatalog> LoadAsync(
        HostPaths paths,
        ArchiveOptions options,
        Func<ArchiveOptions, Task<ArchiveSource>> findSource,
        IReadOnlyList<string> components,
        Action? fetching,
        CancellationToken cancellationToken)
    {
        if (!options.Offline)
        {
            try
            {
                return await ReadAsync(options with { Offline = true }, partly: false);
            }
            catch (VirtigoException incomplete) when (incomplete.Kind is FailureKind.Archive or FailureKind.Trust)
            {
                fetching?.Invoke();
            }
        }

        return await ReadAsync(options, partly: options.Offline);

        async Task<TemplateCatalog> ReadAsync(ArchiveOptions how, bool partly)
        {
            ArchiveSource source = await findSource(how);
            using var client = new ArchiveClient(new Pool(paths.Pool), how);
            ArchiveSuite suite = await client.OpenAsync(source, cancellationToken);
            InstallerBuild build = await new InstallerAssembler(client, paths).AssembleAsync(suite, Architecture, components, cancellationToken);
            TemplateCatalog catalog = await TemplateCatalog.OfAsync(build, cancellationToken);
            await AddOthersAsync(catalog, suite, build, partly, cancellationToken);
            return catalog;
        }
    }

    /// <summary>Adds the questions of the components that an appliance has no use for, but other installs have: LVM, RAID, encryption.</summary>
    /// <param name="catalog">Where they are added.</param>
    /// <param name="suite">Where they are from.</param>
    /// <param name="build">What is in the catalog.</param>
    /// <param name="partly">Whether those that cannot be had offline may be absent.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    private static async Task AddOthersAsync(
        TemplateCatalog catalog, ArchiveSuite suite, InstallerBuild build, bool partly, CancellationToken cancellationToken)
    {
        HashSet<string> known = [.. build.Components.Select(component => component.Name)];
        PackageIndex udebs = await suite.PackagesAsync(Component, Architecture, installer: true, cancellationToken);
        PackageEntry[] others = [.. udebs.All.Where(udeb => !known.Contains(udeb.Name) && Asks(udeb))];
        IReadOnlyList<string?> pooled = partly
            ? await Task.WhenAll(others.Select(FromCacheAsync))
            : await suite.TryFetchPackagesAsync(others, cancellationToken);
        foreach ((PackageEntry udeb, string? path) in others.Zip(pooled))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (path is not null)
            {
                using DebPackage package = DebPackage.Open(path);
                if (package.ReadControlFile("templates") is { } templates)
                {
                    catalog.Add(udeb.Name, new StringReader(Encoding.UTF8.GetString(templates)));
                }
            }
        }

        async Task<string?> FromCacheAsync(PackageEntry udeb)
        {
            try
            {
                return await suite.TryFetchPackageAsync(udeb, cancellationToken);
            }
            catch (VirtigoException absent) when (absent.Kind == FailureKind.Archive)
            {
                return null;
            }
        }
    }

    private static bool Asks(PackageEntry udeb) =>
        udeb.Depends.Any(dependency => dependency.Alternatives.Any(one => one.Name.Contains("debconf", StringComparison.Ordinal)));
}
