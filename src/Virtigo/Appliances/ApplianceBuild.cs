using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Installers;
using Virtigo.Installers.Debian;
using Virtigo.Machines;
using DiskFormat = Virtigo.Hypervisors.DiskFormat;

namespace Virtigo.Appliances;

/// <summary>One build in progress: install, prove, seal. Its draft is thrown away unless all of it succeeds.</summary>
internal sealed class ApplianceBuild(
    HostPaths paths, IHypervisor hypervisor, TimeProvider clock, BuildLog log, AppliancePlan plan, BuildOptions options, Pool pool,
    PlanArchives archives, InstallerBuild installer, ImageDraft draft)
{
    private const string BootLogName = "boot-test-console.log";

    /// <summary>What debian-installer and the unpacked initial file system need. Not the plan's: nothing of it is to be seen in the image.</summary>
    private const int InstallMemoryMiB = 1024;

    private AcceleratorReport? _accelerator;
    private Func<IReadOnlyList<string>> _evidence = () => [];
    private IReadOnlyList<ProxyRecord> _fetchedBefore = [];

    /// <summary>Builds the image.</summary>
    /// <exception cref="VirtigoException">The build failed; the exception names the report.</exception>
    public async Task<StoredImage> RunAsync(CancellationToken cancellationToken)
    {
        // More than its disk can hold nothing can make of what it fetches.
        using var limits = new BuildLimits(options with { TrafficLimit = options.TrafficLimit ?? plan.DiskBytes.Value }, clock, cancellationToken);
        try
        {
            return await RunAsync(limits, limits.Token);
        }
        catch (OperationCanceledException) when (limits.Passed is not null && !cancellationToken.IsCancellationRequested)
        {
            throw await ReportedAsync(limits.Passed);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            throw await ReportedAsync(error);
        }
    }

    private async Task<StoredImage> RunAsync(BuildLimits limits, CancellationToken cancellationToken)
    {
        using SocketFolder sockets = SocketFolder.Create(paths);
        _accelerator = await log.StageAsync("accelerator", () => ProbeAsync(cancellationToken));
        var proxy = new ArchiveProxy(archives.Routes(), pool, new ArchiveProxyOptions
        {
            Architecture = plan.Architecture.Value,
            Clock = clock,
            OnSent = limits.Gave,
        });
        await InstallAsync(proxy, sockets.Path, cancellationToken);
        BootReport boot = await log.StageAsync("boot test", () => BootAsync(sockets.Path, cancellationToken));
        CheckLocked(boot);
        return await log.StageAsync("seal", () => SealAsync(proxy, boot, cancellationToken));
    }

    private async Task<AcceleratorReport> ProbeAsync(CancellationToken cancellationToken)
    {
        AcceleratorReport report = await hypervisor.ProbeAsync(installer.KernelPath, cancellationToken);
        if (report.Announcement is { } announcement)
        {
            log.Note(announcement);
        }

        return report;
    }

    /// <summary>
    /// Installs. Every install waits where its way parts from other appliances', is saved there, and goes on from what was saved: so one that
    /// finds another's saved there differs from it in nothing.
    /// </summary>
    private async Task InstallAsync(ArchiveProxy proxy, string sockets, CancellationToken cancellationToken)
    {
        DebianChoices choices = plan.ToDebianChoices() with { EarlyPackages = EarlyPackages.For(plan.Disk.Value, await archives.ExistenceAsync()) };
        string way = InstallWay.Of(plan);
        string key = InstallWay.Key(way, archives, installer, await GuestPlatform.OfAsync(hypervisor, Chosen, cancellationToken));
        using InstallPointTurn turn = await new InstallPointStore(paths).EnterAsync(
            key, () => log.Note("Another build comes the same way; waiting until it parts from this one."), cancellationToken);
        bool goesOn = turn.Point is not null && !options.Full;

        InstallEstimator estimator = await InstallEstimator.LoadAsync(paths, Chosen, _accelerator!.Speed, cancellationToken);
        InstallWatcher watcher = await WatcherAsync(estimator, goesOn ? InstallStage.Packages : InstallStage.Components, cancellationToken);
        var install = new DebianInstall(hypervisor, proxy, watcher);
        InstallJob job = await JobAsync(choices, sockets, cancellationToken);
        if (goesOn)
        {
            log.Note(string.Create(CultureInfo.InvariantCulture,
                $"Goes on from where an install of {turn.Point!.Created:yyyy-MM-dd HH:mm} UTC came to before it knew its appliance."));
            await turn.TakeAsync(draft.DiskPath, draft.Directory, clock.GetUtcNow(), cancellationToken);
            _fetchedBefore = turn.Point.Fetched;
        }
        else
        {
            await QemuImage.CreateAsync(draft.DiskPath, plan.DiskBytes.Value, cancellationToken);
            await install.SaveWaitingAsync(job, turn.Begin(), cancellationToken);
            await turn.KeepAsync(new InstallPoint(key, way, clock.GetUtcNow(), proxy.Records), draft.DiskPath, draft.Directory, cancellationToken);
        }

        await install.RunAsync(GoingOn(job, choices, turn), cancellationToken);
        log.Installed();
        await estimator.LearnAsync(watcher.Timings, cancellationToken);
        File.Delete(job.InitrdPath);
    }

    private async Task<InstallWatcher> WatcherAsync(InstallEstimator estimator, InstallStage first, CancellationToken cancellationToken)
    {
        TemplateCatalog templates = await TemplateCatalog.OfAsync(installer, cancellationToken);
        foreach (string warning in plan.Preseed.Check(templates))
        {
            log.Note(warning);
        }

        Func<string, IReadOnlyList<string>> near = await archives.NearnessAsync();
        var watcher = new InstallWatcher(new InstallWatcherOptions
        {
            Speed = _accelerator!.Speed,
            FirstStage = first,
            Clock = clock,
            Estimator = estimator,
            Templates = templates,
            NearPackages = near,
            OnEvent = happened =>
            {
                if (happened is InstallProgress now)
                {
                    log.Installing(now);
                }
            },
        });
        _evidence = () => watcher.LastLines(40);
        return watcher;
    }

    private async Task<InstallJob> JobAsync(DebianChoices choices, string sockets, CancellationToken cancellationToken)
    {
        string initrd = Path.Combine(draft.Directory, "initrd");
        string preseed = PreseedWriter.Write(DebianAnswers.Shared(choices), redact: false);
        await InitrdComposer.ComposeAsync(initrd, installer, InstallHooks.Shared(preseed, plan.Mirror.Value.Authority), cancellationToken);
        return new InstallJob
        {
            Name = plan.Name.Value,
            SocketFolder = sockets,
            LogFolder = draft.Directory,
            DiskPath = draft.DiskPath,
            KernelPath = installer.KernelPath,
            InitrdPath = initrd,
            CommandLine = DebianBoot.CommandLine(DebianBoot.CheapToEmulate),
            MemoryMiB = InstallMemoryMiB,
            Accelerator = Chosen,
            Firmware = plan.Disk.Value.Firmware,
            ArchivePorts = archives.All.Select(suite => GuestPort(suite.Source.BaseUri)).ToHashSet(),
        };
    }

    /// <summary>The same guest, as it goes on to the end with what is the appliance's own.</summary>
    private InstallJob GoingOn(InstallJob job, DebianChoices choices, InstallPointTurn turn)
    {
        string nonce = RandomNumberGenerator.GetHexString(32, lowercase: true);
        string preseed = PreseedWriter.Write(DebianAnswers.Own(choices), redact: false);
        return job with
        {
            SavedState = turn.StatePath,
            OwnPart = token =>
            {
                // The guest has its state by now: others may go on from it.
                turn.Dispose();
                return InstallHooks.PackAsync(InstallHooks.Own(choices, preseed, nonce), clock.GetUtcNow(), token);
            },
            Marker = InstallHooks.Marker(nonce),
        };
    }

    /// <summary>The guest speaks HTTP to the proxy, whatever the proxy speaks to the archive.</summary>
    private static int GuestPort(Uri mirror) => mirror.IsDefaultPort ? 80 : mirror.Port;

    private Accelerator Chosen => options.Accelerator == Accelerator.Auto ? _accelerator!.Accelerator : options.Accelerator;

    private async Task<BootReport> BootAsync(string sockets, CancellationToken cancellationToken)
    {
        string overlay = Path.Combine(draft.Directory, "boot-test.qcow2");
        await QemuImage.CreateOverlayAsync(draft.DiskPath, overlay, cancellationToken);
        BootReport report = await new BootTest(hypervisor, clock).RunAsync(
            new GuestConfig
            {
                Name = plan.Name.Value + "-boot-test",
                WorkDirectory = sockets,
                Firmware = plan.Disk.Value.Firmware,
                Cpus = plan.Cpus.Value,
                MemoryMiB = plan.MemoryMiB.Value,
                Accelerator = Chosen,
                AgentChannel = true,
                Disks = [new GuestDisk(overlay, DiskFormat.Qcow2) { Unsafe = true }],
                Serials = [new GuestSerial("console") { LogFile = Path.Combine(draft.Directory, BootLogName) }],
            },
            _accelerator!.Speed, cancellationToken);
        File.Delete(overlay);
        return report;
    }

    private void CheckLocked(BootReport boot)
    {
        if (plan.Lock is not { } locked)
        {
            return;
        }

        if (locked.Value.Plan != plan.Fingerprint)
        {
            log.Note($"{locked.Origin} is of another plan: the archives are those it names, the packages may be others. Lock anew with virtigo lock --update.");
        }
        else if (locked.Value.Difference(boot.Packages.Select(Listed)) is { } difference)
        {
            throw new VirtigoException(FailureKind.Install, $"The packages are not those of {locked.Origin}: {difference}.",
                "The lock may be of another version of Virtigo: lock anew with virtigo lock --update.");
        }
    }

    private static ImagePackage Listed(GuestPackage package) => new(package.Name, package.Version, package.Architecture);

    private async Task<StoredImage> SealAsync(ArchiveProxy proxy, BootReport boot, CancellationToken cancellationToken) =>
        await draft.SealAsync(
            new ImageManifest
            {
                Name = plan.Name.Value,
                Key = draft.Key,
                Created = clock.GetUtcNow(),
                ToolVersion = ToolVersion,
                Spec = options.SpecText,
                Plan = [.. plan.Explain().Select(value => new ImagePlanValue(value.Key, value.Shown, value.Origin.ToString()))],
                Installer = new ImageInstaller(installer.Version, installer.Source, installer.KernelVersion,
                    [.. installer.Components.Select(component => new ImageComponent(component.Name, component.Version, component.Sha256, Provenance(component)))])
                {
                    Suite = installer.Suite,
                    SuiteRelease = installer.SuiteRelease,
                },
                Archives = archives.ForManifest(),
                Packages = [.. boot.Packages.Select(Listed)],
                Materials =
                [
                    .. _fetchedBefore.Concat(proxy.Records).Where(record => record is { Status: 200, Sha256: not null })
                        .DistinctBy(record => (record.Url, record.Sha256))
                        .Select(record => new ImageMaterial(record.Url, record.Sha256!, record.Size, record.Verified)),
                ],
                Disk = await draft.MeasureDiskAsync(cancellationToken),
                Firmware = Firmwares.NameOf(plan.Disk.Value.Firmware),
                NetworkCards = plan.Target.Choices.Network.Interfaces is { Count: > 0 } cards ? [.. cards.Select(card => new ImageNetworkCard(card.Mac))] : [new(null)],
                Timings = [.. log.Timings],
                BootTest = new ImageBootTest(Math.Round(boot.UpAfter.TotalSeconds, 1), [], LoginAnswered: true),
                Hypervisor = new ImageHypervisor(hypervisor.Name, await hypervisor.VersionAsync(cancellationToken), Chosen.ToString().ToLowerInvariant()),
            },
            cancellationToken);

    private static string ToolVersion =>
        typeof(ApplianceBuild).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private static string Provenance(InstallerComponent component) => component.RebuiltFrom.Count == 0
        ? "archive"
        : "rebuilt from " + string.Join(", ", component.RebuiltFrom.Select(source => $"{source.Name} {source.Version}"));

    private async Task<VirtigoException> ReportedAsync(Exception error)
    {
        error = HostTrouble.Explain(error) ?? error;
        var failure = error as VirtigoException ?? new VirtigoException(FailureKind.Internal, $"Virtigo failed: {error.Message}", inner: error);
        FailureReport report = FailureReport.Of(error, plan.Name.Value, options.RerunCommand) with
        {
            Stage = log.Stage,
            ElapsedSeconds = log.Elapsed.TotalSeconds,
            LastConsoleLines = _evidence(),
        };
        string folder = await new FailureReportWriter(paths, clock).WriteAsync(
            report,
            [
                Kept(DebianInstall.SyslogName),
                Kept(DebianInstall.ScreenName),
                Kept(BootLogName),
                new ReportFile("answers.cfg", Text: ApplianceBuilder.Answers(plan)),
            ],
            Secrets, CancellationToken.None);
        return new VirtigoException(failure.Kind, failure.Message, failure.Hint, error) { ReportDirectory = folder };

        ReportFile Kept(string name) => new(name, SourcePath: Path.Combine(draft.Directory, name));
    }

    private string[] Secrets =>
    [
        .. new[] { plan.RootPasswordHash.Value, plan.User.Value?.PasswordHash }.OfType<string>(),
        .. plan.Target.Choices.Users.Select(user => user.PasswordHash).OfType<string>(),
        .. plan.Target.Choices.Debconf.Concat(plan.Preseed.Debconf).Where(answer => answer.Secret && answer.Value.Length > 0).Select(answer => answer.Value),
        .. plan.Preseed.Answers.Where(answer => answer.Secret && answer.Value.Length > 0).Select(answer => answer.Value),
    ];
}
