using System.Security.Cryptography;
using System.Text;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>Builds appliances: the whole way from a plan to a sealed image reads in <see cref="BuildAsync"/>.</summary>
/// <param name="paths">Where everything is kept.</param>
/// <param name="hypervisor">What runs the installer and the boot test.</param>
/// <param name="clock">The clock; the system's when null.</param>
public sealed class ApplianceBuilder(HostPaths paths, IHypervisor hypervisor, TimeProvider? clock = null)
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
        if (!options.Force && Built(plan) is { } known)
        {
            return new BuildResult(known, AlreadyBuilt: true, log.Elapsed);
        }

        using var client = new ArchiveClient(new Pool(paths.Pool), new ArchiveOptions
        {
            Offline = options.Offline,
            AllowExpired = options.AllowExpired,
            Clock = _clock,
            Progress = log.Fetched,
        });
        PlanArchives archives = await log.StageAsync("archives", () => OpenAsync(client, plan, cancellationToken));
        InstallerBuild installer = await log.StageAsync("installer", () => new InstallerAssembler(client, paths)
            .AssembleAsync(archives.Release, plan.Architecture.Value, DefaultComponents.ForAppliance, cancellationToken));

        string key = Key(plan, archives, installer);
        await using ImageDraft? draft = await _store.BeginAsync(
            key, () => log.Note("Another build of the same image is under way; waiting for it."), options.Force, cancellationToken);
        StoredImage image = draft is null
            ? _store.TryGet(key)!
            : await new ApplianceBuild(paths, hypervisor, _clock, log, plan, options, client.Pool, archives, installer, draft).RunAsync(cancellationToken);
        await RememberAsync(plan, archives, key, cancellationToken);
        return new BuildResult(image, AlreadyBuilt: draft is null, log.Elapsed);
    }

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
        return PreseedWriter.Write(AnswersTo(plan), redact: true);
    }

    /// <summary>The image that a plan led to before, without asking any archive.</summary>
    /// <param name="plan">The plan.</param>
    public StoredImage? Built(AppliancePlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return _store.Lookup(Recipe(plan)) is { } known ? _store.TryGet(known.ImageKey) : null;
    }

    private static async Task<PlanArchives> OpenAsync(ArchiveClient client, AppliancePlan plan, CancellationToken cancellationToken)
    {
        PlanArchives archives = await PlanArchives.OpenAsync(client, plan, cancellationToken);
        await archives.CheckPackagesAsync(plan.Packages);
        return archives;
    }

    private static string Key(AppliancePlan plan, PlanArchives archives, InstallerBuild installer) =>
        Hash([Recipe(plan), installer.CacheKey, .. archives.All.Select(suite => suite.ReleaseSha256)]);

    /// <summary>
    /// Everything of an image that is known without asking an archive: the plan, and what this version of Virtigo makes of it.
    /// A version that answers or prepares otherwise does not take an older version's image for its own.
    /// </summary>
    private static string Recipe(AppliancePlan plan) => Hash(
    [
        plan.Fingerprint,
        .. AnswersTo(plan).Select(answer => $"{answer.Question} {answer.Type} {(answer.Secret ? "" : answer.Value)}"),
        DebianBoot.CommandLine(DebianBoot.CheapToEmulate),
        .. Scripts(plan).Select(file => $"{file.Path}\n{Encoding.UTF8.GetString(file.Content.Span)}"),
    ]);

    /// <summary>
    /// The scripts of the plan's own steps. What they are handed is in the plan's fingerprint, and where a command was written does not matter.
    /// </summary>
    private static IEnumerable<InitrdFile> Scripts(AppliancePlan plan)
    {
        TargetChoices choices = plan.Target.Choices;
        TargetSteps steps = TargetSteps.For(choices with { Run = [.. choices.Run.Select(command => command with { Origin = "" })] });
        return InstallHooks.For("", "", user: null, steps).Where(file => !file.Path.StartsWith(TargetSteps.Folder, StringComparison.Ordinal));
    }

    private static IReadOnlyList<Answer> AnswersTo(AppliancePlan plan) =>
        DebianAnswers.For(plan.ToDebianChoices() with { EarlyPackages = EarlyPackages.From(_ => true) });

    private static string Hash(IEnumerable<string> parts) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', parts))));

    private Task RememberAsync(AppliancePlan plan, PlanArchives archives, string key, CancellationToken cancellationToken) =>
        _store.RememberAsync(
            new RememberedBuild(Recipe(plan), key,
                [.. archives.All.Select(suite => new RememberedRelease(suite.Source.BaseUri.AbsoluteUri, suite.Source.Suite, suite.ReleaseSha256))],
                _clock.GetUtcNow()),
            cancellationToken);
}
