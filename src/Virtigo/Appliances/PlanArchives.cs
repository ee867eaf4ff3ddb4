using Virtigo.Archives;
using Virtigo.Images;
using Virtigo.Installers.Debian;
using Virtigo.Installers.Ubuntu;

namespace Virtigo.Appliances;

/// <summary>
/// The verified suites that an appliance is installed from: the release, its updates, its security updates, and what else the spec asks for,
/// each under its own key.
/// </summary>
internal sealed class PlanArchives
{
    private const string Main = "main";
    private static readonly string[] s_ubuntu = [Main, "restricted", "universe", "multiverse"];

    /// <summary>The release, its updates and its security updates.</summary>
    private const int OwnSuites = 3;

    private readonly string _architecture;
    private readonly Lazy<Task<(ArchiveSuite Suite, PackageIndex Index)[]>> _indices;

    private PlanArchives(IReadOnlyList<ArchiveSuite> suites, string architecture, CancellationToken cancellationToken)
    {
        (All, _architecture) = (suites, architecture);
        _indices = new(() => Task.WhenAll(All.SelectMany(suite => suite.Source.Components.Select(async component =>
            (suite, await suite.PackagesAsync(component, architecture, installer: false, cancellationToken))))));
    }

    /// <summary>The release itself; the installer and its components are in it.</summary>
    public ArchiveSuite Release => All[0];

    /// <summary>All of them: the release, updates published between point releases, security updates, backports and further repositories.</summary>
    public IReadOnlyList<ArchiveSuite> All { get; }

    /// <summary>The state of the suites that an install uses until it has done some choices: the distribution's own, and those they add.</summary>
    /// <param name="choices">The choices; null for none yet.</param>
    /// <returns>SHA-256 of their Release files, in lower-case hexadecimal.</returns>
    public IEnumerable<string> StateFor(TargetChoices? choices) =>
        All.Where((suite, index) => index < OwnSuites
                || (choices?.Backports is { } backports && suite.Source.BaseUri == backports.Archive && suite.Source.Suite == backports.Suite)
                || choices?.Repositories.Any(repository => suite.Source.BaseUri == repository.Url && repository.Suites.Contains(suite.Source.Suite)) == true)
            .Select(suite => suite.ReleaseSha256);

    /// <summary>Opens and verifies the suites of a plan.</summary>
    public static async Task<PlanArchives> OpenAsync(ArchiveClient client, AppliancePlan plan, CancellationToken cancellationToken) =>
        await OpenAsync(client, await SourcesAsync(client.Pool, plan, cancellationToken), plan.Architecture.Value, cancellationToken);

    /// <summary>Opens and verifies suites.</summary>
    /// <param name="client">Fetches and verifies.</param>
    /// <param name="sources">The suites; the release first.</param>
    /// <param name="architecture">The architecture whose packages are used.</param>
    /// <param name="cancellationToken">Ends the opening, and whatever is read later.</param>
    public static async Task<PlanArchives> OpenAsync(
        ArchiveClient client, IReadOnlyList<ArchiveSource> sources, string architecture, CancellationToken cancellationToken) =>
        new(await Task.WhenAll(sources.Select(source => client.OpenAsync(source, cancellationToken))), architecture, cancellationToken);

    /// <summary>The suites that a plan uses, the release first. A further repository is verified by its own key and no other.</summary>
    public static async Task<IReadOnlyList<ArchiveSource>> SourcesAsync(Pool pool, AppliancePlan plan, CancellationToken cancellationToken)
    {
        string codename = plan.Release.Value;
        DebianRelease known = DebianRelease.Of(codename);
        (string[] components, string? own) = plan.IsUbuntu() ? (s_ubuntu, MediumFetcher.FindKeyring(plan.Keyring)) : ([Main], plan.Keyring ?? known.Keyring);
        var sources = new List<ArchiveSource>
        {
            Own(plan.Mirror.Value, codename, plan.OtherMirrors.Value),
            Own(plan.Mirror.Value, $"{codename}-updates", plan.OtherMirrors.Value),
            Own(plan.SecurityMirror.Value, known.SecuritySuite, null),
        };
        if (plan.Target.Choices.Backports is { } backports)
        {
            sources.Add(Own(backports.Archive, backports.Suite, plan.OtherMirrors.Value));
        }

        foreach (TargetRepository repository in plan.Target.Choices.Repositories)
        {
            string keyring = pool.PathOf(await pool.AddAsync(repository.Key, cancellationToken));
            sources.AddRange(repository.Suites.Select(suite => new ArchiveSource(repository.Url, suite, repository.Components, Keyring: keyring)
            {
                Pinned = Pin(plan.Lock, suite, repository.Url),
            }));
        }

        return sources;

        // The distribution's own suites are the same on every mirror.
        ArchiveSource Own(Uri mirror, string suite, IReadOnlyList<Uri>? others) =>
            new(mirror, suite, components, others, own) { Pinned = Pin(plan.Lock, suite, archive: null) };
    }

    private static string? Pin(Setting<ApplianceLock>? locked, string suite, Uri? archive) => locked is null ? null
        : locked.Value.Suites.FirstOrDefault(candidate => candidate.Suite == suite && (archive is null || candidate.Archive == archive.AbsoluteUri))?.Sha256
            ?? throw new VirtigoException(FailureKind.Usage, $"{locked.Origin} does not say which {suite} to use.", "Lock anew with virtigo lock --update.");

    /// <summary>Refuses packages that none of the suites has, with what may have been meant.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: every unknown name, suite or version.</exception>
    public async Task CheckPackagesAsync(Setting<IReadOnlyList<string>> packages)
    {
        (ArchiveSuite Suite, PackageIndex Index)[] indices = await _indices.Value;
        PackageWish[] wishes = [.. packages.Value.Select(PackageWish.Parse)];
        string[] unknown = [.. wishes.Select(wish => wish.Name).Where(name => !Exists(indices, name)).Distinct()];
        if (unknown.Length > 0)
        {
            throw new VirtigoException(FailureKind.Usage,
                $"{packages.Origin}: {string.Join(", ", unknown.Select(name => $"\"{name}\""))}: no such package in {Release.Source.Suite} ({_architecture}).",
                string.Join(' ', unknown.Select(name => Suggestion(indices[0].Index, name, alone: unknown.Length == 1))));
        }

        foreach (PackageWish wish in wishes)
        {
            CheckSuiteAndVersion(packages.Origin, wish, indices);
        }
    }

    private void CheckSuiteAndVersion(Origin origin, PackageWish wish, (ArchiveSuite Suite, PackageIndex Index)[] indices)
    {
        if (wish.Suite is { } suite && !indices.Any(one => IsNamed(one.Suite, suite) && one.Index.Find(wish.Name) is not null))
        {
            string hint = All.Any(known => IsNamed(known, suite))
                ? $"Take it from another suite: {string.Join(", ", indices.Where(one => one.Index.Find(wish.Name) is not null).Select(one => one.Suite.Source.Suite).Distinct())}."
                : suite.EndsWith("-backports", StringComparison.Ordinal) && All.All(known => known.Source.Suite != suite) && suite == Release.Source.Suite + "-backports"
                    ? "Say that backports may be used: backports: true"
                    : $"The appliance uses {string.Join(", ", All.Select(known => known.Source.Suite))}.";
            throw new VirtigoException(FailureKind.Usage, $"{origin}: \"{wish.Name}/{suite}\": there is no such package in that suite.", hint);
        }

        if (wish.Version is { } version)
        {
            string[] known = [.. indices.SelectMany(one => one.Index.FindAll(wish.Name)).Select(entry => entry.Version.ToString()).Distinct()];
            if (!known.Contains(version))
            {
                throw new VirtigoException(FailureKind.Usage, $"{origin}: \"{wish.Name}={version}\": the archives have no such version.",
                    known.Length == 0 ? "Leave out the version." : $"They have {string.Join(", ", known)}.");
            }
        }
    }

    private static bool IsNamed(ArchiveSuite suite, string name) =>
        suite.Source.Suite == name || suite.Release.Codename == name || suite.Release.Suite == name;

    /// <summary>Whether one of the suites has a package, or one that provides it.</summary>
    public async Task<Func<string, bool>> ExistenceAsync()
    {
        (ArchiveSuite, PackageIndex)[] indices = await _indices.Value;
        return name => Exists(indices, name);
    }

    /// <summary>Finds names near to one that does not exist.</summary>
    public async Task<Func<string, IReadOnlyList<string>>> NearnessAsync()
    {
        PackageIndex release = (await _indices.Value)[0].Index;
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

    private static bool Exists((ArchiveSuite, PackageIndex Index)[] indices, string name) =>
        indices.Any(one => one.Index.Find(name) is not null || one.Index.Providers(name).Any());

    private static string Suggestion(PackageIndex index, string name, bool alone)
    {
        IReadOnlyList<string> near = index.Near(name);
        string meant = string.Join(" or ", near);
        return near.Count == 0 ? $"Nothing is named like {name}."
            : alone ? $"Did you mean {meant}?"
            : $"{name}: did you mean {meant}?";
    }
}
