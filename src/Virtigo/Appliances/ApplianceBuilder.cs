using System.Globalization;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Installers.Debian;
using Virtigo.Installers.Ubuntu;

namespace Virtigo.Appliances;

/// <summary>Builds appliances: the whole way from a plan to a sealed image reads in <see cref="BuildAsync"/>.</summary>
/// <param name="paths">Where everything is kept.</param>
/// <param name="hypervisors">What the plan's hypervisor is chosen from, the one that can do most first.</param>
/// <param name="clock">The clock; the system's when null.</param>
public sealed class ApplianceBuilder(HostPaths paths, IReadOnlyList<IHypervisor> hypervisors, TimeProvider? clock = null)
{
    private readonly TimeProvider _clock = clock ?? TimeProvider.System;
    private readonly ImageStore _store = new(paths, clock);

    /// <summary>Builds an appliance, unless its image is in the store.</summary>
    /// <param name="plan">What to build.</param>
    /// <param name="options">How to build it.</param>
    /// <param name="progress">Told of everything that happens, from any thread; null for nobody.</param>
    /// <param name="cancellationToken">Ends the build; nothing of it remains.</param>
    /// <returns>The image.</returns>
    /// <exception cref="VirtigoException">
    /// The build failed; <see cref="VirtigoException.ReportDirectory"/> names the folder with what is known of it when an install had begun.
    /// </exception>
    public async Task<BuildResult> BuildAsync(
        AppliancePlan plan, BuildOptions options, IProgress<BuildEvent>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(options);
        var log = new BuildLog(_clock, progress);
        if (options is { Force: false, Full: false } && Built(plan) is { } known)
        {
            return new BuildResult(known, AlreadyBuilt: true, log.Elapsed);
        }

        HypervisorChoice choice = await HypervisorChoice.MakeAsync(hypervisors, plan.Hypervisor.Value, Needs(plan), cancellationToken);
        if (choice.Compared || plan.Hypervisor.Value != HypervisorChoice.Auto)
        {
            log.Note($"Runs in {choice.Hypervisor.Name}: {choice.Reason}.");
        }

        using var client = new ArchiveClient(new Pool(paths.Pool), new ArchiveOptions
        {
            Offline = options.Offline,
            AllowExpired = options.AllowExpired,
            Clock = _clock,
            Progress = log.Fetched,
        });
        PlanArchives archives = await log.StageAsync("archives", () => OpenAsync(client, plan, cancellationToken));
        InstallerBuild installer = await log.StageAsync("installer", () => AssembleAsync(client, archives, plan, paths, cancellationToken));

        string key = Key(plan, archives, installer);
        await using ImageDraft? draft = await _store.BeginAsync(
            key, () => log.Note("Another build of the same image is under way; waiting for it."), options.Force || options.Full, cancellationToken);
        StoredImage image = draft is null
            ? _store.TryGet(key)!
            : await new ApplianceBuild(paths, choice.Hypervisor, _clock, log, plan, options, client.Pool, archives, installer, draft).RunAsync(cancellationToken);
        await RememberAsync(plan, archives, key, cancellationToken);
        return new BuildResult(image, AlreadyBuilt: draft is null, log.Elapsed);
    }

    /// <summary>What runs the installer must be able to do; and beside that what makes the next build fast, and the image its own proof.</summary>
    private static HypervisorNeeds Needs(AppliancePlan plan) => new($"The build of {plan.Name.Value}",
        [.. plan.IsUbuntu() ? ["discs"] : Array.Empty<string>(), "kernel boot", "networks", "agent"])
    {
        Wished = [.. InstallWay.NotShared(plan) is null ? ["fork"] : Array.Empty<string>(), "disk boot", "qcow2", .. plan.Firmware.Value == FirmwareKind.Uefi ? ["uefi"] : Array.Empty<string>()],
    };

    /// <summary>
    /// The plan of a build. What the cache knows of the archive is enough when it leads to an image that is in the store: then nobody is asked.
    /// </summary>
    /// <param name="spec">What the user wrote.</param>
    /// <param name="archives">How archives are used.</param>
    /// <param name="cancellationToken">Ends the planning.</param>
    /// <exception cref="VirtigoException">The plan cannot be made; see <see cref="AppliancePlanner.PlanAsync"/>.</exception>
    public async Task<AppliancePlan> PlanAsync(ApplianceSpec spec, ArchiveOptions archives, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(archives);
        try
        {
            AppliancePlan plan = await new AppliancePlanner(HostPlanning.On(paths, archives with { Offline = true })).PlanAsync(spec, cancellationToken);
            if (Built(plan) is not null)
            {
                return plan;
            }
        }
        catch (VirtigoException unknown) when (unknown.Kind is FailureKind.Archive or FailureKind.Trust)
        {
            // Nothing cached that would do: the archive is asked.
        }

        return await new AppliancePlanner(HostPlanning.On(paths, archives)).PlanAsync(spec, cancellationToken);
    }

    /// <summary>The answers that the installer would be given, without secrets.</summary>
    /// <param name="plan">What would be built.</param>
    /// <returns>The text of a preseed file, each answer with its reason.</returns>
    public static string Answers(AppliancePlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (plan.IsUbuntu())
        {
            return AutoinstallWriter.Write(UbuntuAnswers.Of(plan.ToUbuntuChoices()), redact: true);
        }

        DebianChoices choices = plan.Parts[0].ToDebianChoices();
        return "# At the start:\n" + PreseedWriter.Write(DebianAnswers.Shared(choices), redact: true)
            + "\n# When the base system is complete and up to date:\n" + PreseedWriter.Write(DebianAnswers.Own(choices), redact: true);
    }

    /// <summary>The settings, by their keys, in which two plans must be equal for one to go on from the installer that the other saved.</summary>
    public static IReadOnlyList<string> SharedSettings => InstallWay.Settings;

    /// <summary>Why a build of this plan saves no installer and goes on from none, as the rest of a sentence; null when it does.</summary>
    /// <param name="plan">The plan.</param>
    public static string? WhyNotShared(AppliancePlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return InstallWay.NotShared(plan);
    }

    /// <summary>The saved installer that a build of this plan may go on from; null when there is none.</summary>
    /// <param name="plan">The plan.</param>
    public SavedInstaller? SavedInstall(AppliancePlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var store = new InstallPointStore(paths);
        for (int part = InstallWay.NotShared(plan) is null ? plan.Parts.Count - 1 : -1; part >= 0; part--)
        {
            if (store.Find(InstallWay.Before(plan, part)) is [var newest, ..])
            {
                return new SavedInstaller(newest.Created, part == 0 ? null : plan.Parts[part - 1].Name.Value);
            }
        }

        return null;
    }

    /// <summary>The image that a plan led to before, without asking any archive.</summary>
    /// <param name="plan">The plan.</param>
    public StoredImage? Built(AppliancePlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return _store.Lookup(Memory(plan)) is { } known ? _store.TryGet(known.ImageKey) : null;
    }

    /// <summary>Compares an image with what a plan asks for. What only an install can tell is not compared.</summary>
    /// <param name="image">The image.</param>
    /// <param name="plan">The plan.</param>
    /// <returns>Values of the plan that are others than those the image was built from, and packages that are not as asked for.</returns>
    public static ImageComparison Compare(StoredImage image, AppliancePlan plan)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(plan);
        ImageManifest manifest = image.Manifest;
        ILookup<string, ImagePackage> installed = manifest.Packages.ToLookup(package => package.Name);
        PackageWish[] wishes = [.. plan.Parts.SelectMany(part => part.Packages.Value).Select(PackageWish.Parse)];
        IEnumerable<ImageDifference> packages =
        [
            .. wishes.Where(wish => wish.Remove && installed.Contains(wish.Name) && !wishes.Any(other => other.Name == wish.Name && !other.Remove))
                .Select(wish => new ImageDifference(ImageAspect.Packages, wish.Name, installed[wish.Name].First().Version, null)),
            .. wishes.Where(wish => !wish.Remove && !installed[wish.Name].Any(package => wish.Version is null || package.Version == wish.Version))
                .Select(wish => new ImageDifference(ImageAspect.Packages, wish.Name, installed[wish.Name].FirstOrDefault()?.Version, wish.Version ?? "asked for")),
        ];
        Dictionary<string, string> now = ImageFacts.Plan(manifest with { Plan = PlanValues(plan) });
        return new ImageComparison(
            [.. ImageStore.Differences(ImageAspect.Plan, ImageFacts.Plan(manifest), now), .. packages.DistinctBy(found => found.Name).OrderBy(found => found.Name, StringComparer.Ordinal)],
            []);
    }

    /// <summary>The values of a plan as a manifest has them.</summary>
    internal static IReadOnlyList<ImagePlanValue> PlanValues(AppliancePlan plan) =>
        [.. plan.Explain().Select(value => new ImagePlanValue(value.Key, value.Shown, value.Origin.ToString()))];

    /// <summary>The installer of a plan, ready to boot.</summary>
    internal static Task<InstallerBuild> AssembleAsync(
        ArchiveClient client, PlanArchives archives, AppliancePlan plan, HostPaths paths, CancellationToken cancellationToken) => plan.IsUbuntu()
        ? UbuntuPlan.AssembleAsync(client, plan, paths, cancellationToken)
        : new InstallerAssembler(client, paths) { Pinned = plan.Lock?.Value.Installer is { } pinned ? (pinned.Suite, pinned.Sha256) : null }
            .AssembleAsync(archives.Release, plan.Architecture.Value, DefaultComponents.For(plan.Disk.Value, plan.InstallMachine()), cancellationToken);

    /// <summary>Opens the archives of a plan and checks that what it asks for is there.</summary>
    internal static async Task<PlanArchives> OpenAsync(ArchiveClient client, AppliancePlan plan, CancellationToken cancellationToken)
    {
        PlanArchives archives = await PlanArchives.OpenAsync(client, plan, cancellationToken);
        foreach (AppliancePlan part in plan.Parts)
        {
            await archives.CheckPackagesAsync(part.Packages);
        }

        if (client.Options.Offline && plan.Lock is { } locked)
        {
            CheckPooled(locked, client.Pool);
        }

        return archives;
    }

    /// <summary>A build that will lack something is not begun.</summary>
    private static void CheckPooled(Setting<ApplianceLock> locked, Pool pool)
    {
        const int most = 10;
        LockedFile[] missing = [.. locked.Value.Files.Where(file => pool.Find(file.Sha256) is null)];
        if (missing.Length > 0)
        {
            string names = string.Join(", ", missing.Take(most).Select(file => file.Name)) + (missing.Length > most ? $" and {missing.Length - most} more" : "");
            throw new VirtigoException(FailureKind.Archive,
                string.Create(CultureInfo.InvariantCulture, $"Offline, and {missing.Length} of the {locked.Value.Files.Count} files of {locked.Origin} ")
                + $"are not in the cache {pool.Directory}: {names}.",
                "Bring them in with a bundle, or run once without --offline.");
        }
    }

    private static string Key(AppliancePlan plan, PlanArchives archives, InstallerBuild installer) =>
        PartsHash.Of([Recipe(plan), installer.CacheKey, .. archives.All.Select(suite => suite.ReleaseSha256)]);

    /// <summary>What an image is remembered by: with a lock, what it is built from does not change with the archives.</summary>
    private static string Memory(AppliancePlan plan) => PartsHash.Of(
        [Recipe(plan), .. plan.Lock?.Value.Suites.Select(suite => suite.Sha256) ?? [], .. UbuntuPlan.MediumIdentity(plan)]);

    /// <summary>
    /// Everything of an image that is known without asking an archive: the plan, and what this version of Virtigo makes of it.
    /// A version that answers or prepares otherwise does not take an older version's image for its own.
    /// </summary>
    private static string Recipe(AppliancePlan plan) => PartsHash.Of(plan.IsUbuntu()
        ? [plan.Fingerprint, .. UbuntuPlan.Recipe(plan)]
        : [plan.Fingerprint, .. InstallWay.Parts(plan), .. plan.Parts.SelectMany(InstallWay.Own)]);

    private Task RememberAsync(AppliancePlan plan, PlanArchives archives, string key, CancellationToken cancellationToken) =>
        _store.RememberAsync(
            new RememberedBuild(Memory(plan), key,
                [.. archives.All.Select(suite => new RememberedRelease(suite.Source.BaseUri.AbsoluteUri, suite.Source.Suite, suite.ReleaseSha256))],
                _clock.GetUtcNow()),
            cancellationToken);
}

/// <summary>An installer that was saved on its way.</summary>
/// <param name="Created">When.</param>
/// <param name="After">The appliance that was complete then, which others build on; null when it did not know its appliance yet.</param>
public sealed record SavedInstaller(DateTimeOffset Created, string? After);
