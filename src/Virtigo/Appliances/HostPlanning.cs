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

    private static HostMirror? MirrorOf(AptSource? source) =>
        source is null ? null : new HostMirror(source.Uri, $"{source.File}:{source.Line}");
}
