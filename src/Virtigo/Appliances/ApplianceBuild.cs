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

    /// <summary>What debian-installer and the unpacked initial file system need at least.</summary>
    private const int InstallMemoryMiB = 1024;

    private AcceleratorReport? _accelerator;
    private Func<IReadOnlyList<string>> _evidence = () => [];

    /// <summary>Builds the image.</summary>
    /// <exception cref="VirtigoException">The build failed; the exception names the report.</exception>
    public async Task<StoredImage> RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            using SocketFolder sockets = SocketFolder.Create(paths);
            _accelerator = await log.StageAsync("accelerator", () => ProbeAsync(cancellationToken));
            var proxy = new ArchiveProxy(archives.Routes(), pool, new ArchiveProxyOptions { Architecture = plan.Architecture.Value, Clock = clock });
            await InstallAsync(proxy, sockets.Path, cancellationToken);
            BootReport boot = await log.StageAsync("boot test", () => BootAsync(sockets.Path, cancellationToken));
            return await log.StageAsync("seal", () => SealAsync(proxy, boot, cancellationToken));
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            throw await ReportedAsync(error);
        }
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

    private async Task InstallAsync(ArchiveProxy proxy, string sockets, CancellationToken cancellationToken)
    {
        string nonce = RandomNumberGenerator.GetHexString(32, lowercase: true);
        string initrd = Path.Combine(draft.Directory, "initrd");
        DebianChoices choices = plan.ToDebianChoices() with { EarlyPackages = EarlyPackages.From(await archives.ExistenceAsync()) };
        string preseed = PreseedWriter.Write(DebianAnswers.For(choices), redact: false);
        await InitrdComposer.ComposeAsync(initrd, installer, InstallHooks.For(preseed, nonce, choices.User.Value, TargetSteps.For(choices.Target)), cancellationToken);
        await QemuImage.CreateAsync(draft.DiskPath, plan.DiskBytes.Value, cancellationToken);

        InstallEstimator estimator = await InstallEstimator.LoadAsync(paths, Chosen, _accelerator!.Speed, cancellationToken);
        TemplateCatalog templates = await TemplateCatalog.OfAsync(installer, cancellationToken);
        Func<string, IReadOnlyList<string>> near = await archives.NearnessAsync();
        var watcher = new InstallWatcher(new InstallWatcherOptions
        {
            Speed = _accelerator.Speed,
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
        await new DebianInstall(hypervisor, proxy, watcher).RunAsync(
            new InstallJob
            {
                Name = plan.Name.Value,
                SocketFolder = sockets,
                LogFolder = draft.Directory,
                DiskPath = draft.DiskPath,
                KernelPath = installer.KernelPath,
                InitrdPath = initrd,
                CommandLine = DebianBoot.CommandLine(DebianBoot.CheapToEmulate),
                Marker = InstallHooks.Marker(nonce),
                MemoryMiB = Math.Max(InstallMemoryMiB, plan.MemoryMiB.Value),
                Accelerator = Chosen,
                ArchivePorts = archives.All.Select(suite => GuestPort(suite.Source.BaseUri)).ToHashSet(),
            },
            cancellationToken);
        log.Installed();
        await estimator.LearnAsync(watcher.Timings, cancellationToken);
        File.Delete(initrd);
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
                    [.. installer.Components.Select(component => new ImageComponent(component.Name, component.Version, component.Sha256, Provenance(component)))]),
                Archives = archives.ForManifest(),
                Packages = [.. boot.Packages.Select(package => new ImagePackage(package.Name, package.Version, package.Architecture))],
                Materials =
                [
                    .. proxy.Records.Where(record => record is { Status: 200, Sha256: not null })
                        .Select(record => new ImageMaterial(record.Url, record.Sha256!, record.Size, record.Verified)),
                ],
                Disk = await draft.MeasureDiskAsync(cancellationToken),
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
        .. plan.Target.Choices.Debconf.Where(answer => answer.Secret && answer.Value.Length > 0).Select(answer => answer.Value),
    ];
}
