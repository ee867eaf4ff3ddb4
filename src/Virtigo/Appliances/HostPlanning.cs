using Virtigo.Archives;
using Virtigo.Host;

namespace Virtigo.Appliances;

/// <summary>Planning against this host and the real archives.</summary>
public static class HostPlanning
{
    /// <summary>What planning may ask on this host: its apt sources, and suites of signed archives through the shared cache.</summary>
    /// <param name="paths">Virtigo's directories.</param>
    /// <param name="options">How archives are used.</param>
    public static PlannerEnvironment On(HostPaths paths, ArchiveOptions options)
    {
        var sources = new Lazy<IReadOnlyList<AptSource>>(() => HostAptSources.Find());
        return new PlannerEnvironment
        {
            Paths = paths,
            FindHostMirror = () => MirrorOf(HostAptSources.MainArchive(sources.Value)),
            FindHostSecurityMirror = () => MirrorOf(HostAptSources.SecurityArchive(sources.Value)),
            ResolveRelease = async (mirrors, suite, cancellationToken) =>
            {
                using var client = new ArchiveClient(new Pool(paths.Pool), options);
                var source = new ArchiveSource(mirrors[0], suite, ["main"], [.. mirrors.Skip(1)]);
                ReleaseFile release = (await client.OpenAsync(source, cancellationToken)).Release;
                return new ResolvedRelease(release.Codename ?? suite, release.Version, release.Suite ?? suite);
            },
        };
    }

    /// <summary>The archive that a spec without a mirror would come from and where that was found, or null when none is known.</summary>
    /// <param name="environment">What may be asked of the host.</param>
    /// <param name="cancellationToken">Ends the reading of the configuration.</param>
    /// <exception cref="VirtigoException">The configuration is wrong.</exception>
    public static async Task<string?> DescribeMirrorAsync(PlannerEnvironment environment, CancellationToken cancellationToken)
    {
        UserConfig config = await UserConfig.LoadAsync(environment.Paths, cancellationToken);
        return config.Mirrors is { } configured ? $"{configured.Value[0]} ({configured.Origin})"
            : environment.FindHostMirror() is { } host ? $"{host.Uri} ({host.Place})"
            : null;
    }

    private static HostMirror? MirrorOf(AptSource? source) =>
        source is null ? null : new HostMirror(source.Uri, $"{source.File}:{source.Line}");
}
