using Virtigo.Archives;
using Virtigo.Images;

namespace Virtigo.Appliances;

/// <summary>The verified suites that an appliance is installed from: the release, its updates, its security updates.</summary>
internal sealed class PlanArchives
{
    private const string Main = "main";
    private readonly string _architecture;
    private readonly Lazy<Task<PackageIndex[]>> _indices;

    private PlanArchives(ArchiveSuite release, ArchiveSuite updates, ArchiveSuite security, string architecture, CancellationToken cancellationToken)
    {
        (Release, Updates, Security, _architecture) = (release, updates, security, architecture);
        _indices = new(() => Task.WhenAll(All.Select(suite => suite.PackagesAsync(Main, architecture, installer: false, cancellationToken))));
    }

    /// <summary>The release itself; the installer and its components are in it.</summary>
    public ArchiveSuite Release { get; }

    /// <summary>Updates published between point releases.</summary>
    public ArchiveSuite Updates { get; }

    /// <summary>Security updates.</summary>
    public ArchiveSuite Security { get; }

    /// <summary>All of them.</summary>
    public IReadOnlyList<ArchiveSuite> All => [Release, Updates, Security];

    /// <summary>Opens and verifies the suites of a plan.</summary>
    public static async Task<PlanArchives> OpenAsync(ArchiveClient client, AppliancePlan plan, CancellationToken cancellationToken)
    {
        string codename = plan.Release.Value;
        Task<ArchiveSuite> Open(Uri uri, string suite, IReadOnlyList<Uri>? others = null) =>
            client.OpenAsync(new ArchiveSource(uri, suite, [Main], others) { Pinned = Pin(plan.Lock, suite) }, cancellationToken);

        ArchiveSuite[] suites = await Task.WhenAll(
            Open(plan.Mirror.Value, codename, plan.OtherMirrors.Value),
            Open(plan.Mirror.Value, $"{codename}-updates", plan.OtherMirrors.Value),
            Open(plan.SecurityMirror.Value, $"{codename}-security"));
        return new PlanArchives(suites[0], suites[1], suites[2], plan.Architecture.Value, cancellationToken);
    }

    private static string? Pin(Setting<ApplianceLock>? locked, string suite) => locked is null ? null
        : locked.Value.Suites.FirstOrDefault(candidate => candidate.Suite == suite)?.Sha256
            ?? throw new VirtigoException(FailureKind.Usage, $"{locked.Origin} does not say which {suite} to use.", "Lock anew with virtigo lock --update.");

    /// <summary>Refuses packages that none of the suites has, with what may have been meant.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: every unknown name.</exception>
    public async Task CheckPackagesAsync(Setting<IReadOnlyList<string>> packages)
    {
        PackageIndex[] indices = await _indices.Value;
        string[] unknown = [.. packages.Value.Where(name => !Exists(indices, name))];
        if (unknown.Length > 0)
        {
            throw new VirtigoException(FailureKind.Usage,
                $"{packages.Origin}: {string.Join(", ", unknown.Select(name => $"\"{name}\""))}: no such package in {Release.Source.Suite} ({_architecture}).",
                string.Join(' ', unknown.Select(name => Suggestion(indices[0], name, alone: unknown.Length == 1))));
        }
    }

    /// <summary>Whether one of the suites has a package, or one that provides it.</summary>
    public async Task<Func<string, bool>> ExistenceAsync()
    {
        PackageIndex[] indices = await _indices.Value;
        return name => Exists(indices, name);
    }

    /// <summary>Finds names near to one that does not exist.</summary>
    public async Task<Func<string, IReadOnlyList<string>>> NearnessAsync()
    {
        PackageIndex release = (await _indices.Value)[0];
        return release.Near;
    }

    /// <summary>Where the guest finds the suites: under the names that the installed system will use.</summary>
    public IReadOnlyList<ProxyRoute> Routes() =>
    [
        .. All.GroupBy(suite => suite.Source.BaseUri)
            .Select(archive => new ProxyRoute(archive.Key.Host, archive.Key.AbsolutePath, [.. archive])),
    ];

    /// <summary>The suites, for the manifest.</summary>
    public IReadOnlyList<ImageArchive> ForManifest() =>
    [
        .. All.Select(suite => new ImageArchive(
            suite.Source.BaseUri.AbsoluteUri, suite.Source.Suite, suite.Release.Codename ?? suite.Source.Suite, suite.ReleaseSha256, suite.Release.Date)),
    ];

    private static bool Exists(PackageIndex[] indices, string name) =>
        indices.Any(index => index.Find(name) is not null || index.Providers(name).Any());

    private static string Suggestion(PackageIndex index, string name, bool alone)
    {
        IReadOnlyList<string> near = index.Near(name);
        string meant = string.Join(" or ", near);
        return near.Count == 0 ? $"Nothing is named like {name}."
            : alone ? $"Did you mean {meant}?"
            : $"{name}: did you mean {meant}?";
    }
}
