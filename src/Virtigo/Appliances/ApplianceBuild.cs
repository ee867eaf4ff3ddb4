using System.Reflection;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Installers.Debian;
using Virtigo.Installers.Ubuntu;
using Virtigo.Machines;
using DiskFormat = Virtigo.Hypervisors.DiskFormat;

namespace Virtigo.Appliances;

/// <summary>One build in progress: install, prove, seal. Its draft is thrown away unless all of it succeeds.</summary>
internal sealed partial class ApplianceBuild(
    HostPaths paths, IHypervisor hypervisor, TimeProvider clock, BuildLog log, AppliancePlan plan, BuildOptions options, Pool pool,
    PlanArchives archives, InstallerBuild installer, ImageDraft draft)
{
    private const string BootLogName = "boot-test-console.log";

    private AcceleratorReport? _accelerator;
    private Func<IReadOnlyList<string>> _evidence = () => [];
    private IReadOnlyList<ProxyRecord> _fetched = [];

    /// <summary>Builds the image.</summary>
    /// <exception cref="VirtigoException">The build failed; the exception names the report.</exception>
    public async Task<StoredImage> RunAsync(CancellationToken cancellationToken)
    {
        // More than its disk can hold nothing can make of what it fetches.
        using var limits = new BuildLimits(options with { TrafficLimit = options.TrafficLimit ?? plan.AllDiskBytes }, clock, cancellationToken);
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
        long memory = Math.Max(plan.IsUbuntu() ? UbuntuBoot.MemoryMiB : ApplianceInstall.MemoryMiB, plan.MemoryMiB.Value) + HostBudget.OverheadMiB;
        using IDisposable reserved = await new HostBudget(paths, clock).ReserveAsync(
            memory, $"The build of {plan.Name.Value}", () => log.Note("Waiting for memory that other machines use."), cancellationToken);
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
        return await log.StageAsync("seal", () => SealAsync(boot, cancellationToken));
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
        if (installer.Medium is { } medium)
        {
            await InstallFromAsync(medium, proxy, sockets, cancellationToken);
            return;
        }

        var install = new ApplianceInstall(paths, hypervisor, clock, log, plan, archives, installer, proxy)
        {
            Folder = draft.Directory,
            DiskPath = draft.DiskPath,
            FurtherDiskPath = draft.FurtherDiskPath,
            Sockets = sockets,
            Accelerator = Chosen,
            Speed = _accelerator!.Speed,
            Full = options.Full,
        };
        _evidence = install.LastLines;
        _fetched = await install.RunAsync(cancellationToken);
        log.Installed();
    }

    private Accelerator Chosen => options.Accelerator == Accelerator.Auto ? _accelerator!.Accelerator : options.Accelerator;

    /// <summary>
    /// Boots the image. QEMU's emulation makes one in some hundred boots crash that are good: there, a crash counts when it happens again.
    /// </summary>
    private async Task<BootReport> BootAsync(string sockets, CancellationToken cancellationToken)
    {
        try
        {
            return await BootOnceAsync(sockets, cancellationToken);
        }
        catch (VirtigoException crash) when (crash.GuestCrashed && Chosen == Accelerator.Tcg)
        {
            log.Note($"{crash.Message} It is emulated, and emulation may be the cause: it boots once more.");
            return await BootOnceAsync(sockets, cancellationToken);
        }
    }

    private async Task<BootReport> BootOnceAsync(string sockets, CancellationToken cancellationToken)
    {
        string overlay = Path.Combine(draft.Directory, "boot-test.qcow2");
        await QemuImage.CreateOverlayAsync(draft.DiskPath, overlay, cancellationToken);
        IReadOnlyList<GuestDisk> further = ImageStore.FurtherDisks(
            plan.Disk.Value.Further.Select(disk => disk.Name), name => Path.Combine(draft.Directory, $"boot-test-{name}.qcow2"));
        foreach (GuestDisk disk in further)
        {
            await QemuImage.CreateOverlayAsync(draft.FurtherDiskPath(disk.Serial!), disk.Path, cancellationToken);
        }

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
                Disks = [new GuestDisk(overlay, DiskFormat.Qcow2) { Unsafe = true }, .. further],
                Serials = [new GuestSerial("console") { LogFile = Path.Combine(draft.Directory, BootLogName) }],
            },
            _accelerator!.Speed, plan.Disk.Value.Passphrase, cancellationToken);
        foreach (string copy in further.Select(disk => disk.Path).Append(overlay))
        {
            File.Delete(copy);
        }

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

    private async Task<StoredImage> SealAsync(BootReport boot, CancellationToken cancellationToken) =>
        await draft.SealAsync(
            new ImageManifest
            {
                Name = plan.Name.Value,
                Key = draft.Key,
                Created = clock.GetUtcNow(),
                ToolVersion = ToolVersion,
                Spec = options.SpecText,
                Plan = ApplianceBuilder.PlanValues(plan),
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
                    .. _fetched.Where(record => record is { Status: 200, Sha256: not null })
                        .DistinctBy(record => (record.Url, record.Sha256))
                        .Select(record => new ImageMaterial(record.Url, record.Sha256!, record.Size, record.Verified)),
                ],
                Disk = await draft.MeasureDiskAsync(cancellationToken),
                FurtherDisks = await MeasureFurtherAsync(cancellationToken),
                Firmware = Firmwares.NameOf(plan.Disk.Value.Firmware),
                NetworkCards = plan.Target.Choices.Network.Interfaces is { Count: > 0 } cards ? [.. cards.Select(card => new ImageNetworkCard(card.Mac))] : [new(null)],
                Timings = [.. log.Timings],
                BootTest = new ImageBootTest(Math.Round(boot.UpAfter.TotalSeconds, 1), [], LoginAnswered: true),
                Hypervisor = new ImageHypervisor(hypervisor.Name, await hypervisor.VersionAsync(cancellationToken), Chosen.ToString().ToLowerInvariant()),
            },
            cancellationToken);

    private async Task<IReadOnlyList<ImageFurtherDisk>> MeasureFurtherAsync(CancellationToken cancellationToken)
    {
        var measured = new List<ImageFurtherDisk>();
        foreach (FurtherDisk disk in plan.Disk.Value.Further)
        {
            measured.Add(await draft.MeasureFurtherDiskAsync(disk.Name, cancellationToken));
        }

        return measured;
    }

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
        .. new[] { plan.RootPasswordHash.Value, plan.User.Value?.PasswordHash, plan.Disk.Value.Passphrase?.Reveal() }.OfType<string>(),
        .. plan.Parts.SelectMany(part => part.Target.Choices.Users).Select(user => user.PasswordHash).OfType<string>(),
        .. plan.Parts.SelectMany(part => part.Target.Choices.Debconf).Concat(plan.Preseed.Debconf).Where(answer => answer.Secret && answer.Value.Length > 0)
            .Select(answer => answer.Value),
        .. plan.Preseed.Answers.Where(answer => answer.Secret && answer.Value.Length > 0).Select(answer => answer.Value),
    ];
}
