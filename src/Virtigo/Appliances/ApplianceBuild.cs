using System.Reflection;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;
using Virtigo.Installers.Debian;
using Virtigo.Installers.Ubuntu;
using Virtigo.Machines;

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
        HostBudget budget = await GuestMemory.BudgetAsync(hypervisor, paths, clock, cancellationToken);
        using IDisposable reserved = await budget.ReserveAsync(
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
        (BootReport boot, IReadOnlyList<ImageProof> proofs) = await log.StageAsync("boot test", () => ProveAsync(sockets.Path, cancellationToken));
        CheckLocked(boot);
        return await log.StageAsync("seal", () => SealAsync(boot, proofs, cancellationToken));
    }

    private async Task<AcceleratorReport> ProbeAsync(CancellationToken cancellationToken)
    {
        AcceleratorReport report = await hypervisor.ProbeAsync(hypervisor.OwnKernel ?? installer.KernelPath, cancellationToken);
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
            DiskPath = HasFirmware ? draft.DiskPath : RawPath,
            DiskFormat = HasFirmware ? Hypervisors.DiskFormat.Qcow2 : Hypervisors.DiskFormat.Raw,
            FurtherDiskPath = draft.FurtherDiskPath,
            Sockets = sockets,
            Accelerator = Chosen,
            Speed = _accelerator!.Limits,
            Full = options.Full,
        };
        _evidence = install.LastLines;
        _fetched = await install.RunAsync(cancellationToken);
        log.Installed();
        if (!HasFirmware)
        {
            await log.StageAsync("boot loader", () => PutBootLoaderAsync(cancellationToken));
        }
    }

    /// <summary>Whether the installer runs in a machine that boots from a disk.</summary>
    private bool HasFirmware => plan.InstallMachine().HasFirmware;

    private string RawPath => Path.Combine(draft.Directory, "disk.raw");

    /// <summary>Makes of what was installed a disk that any machine boots.</summary>
    private async Task<BootLoaderReport> PutBootLoaderAsync(CancellationToken cancellationToken)
    {
        await QemuImage.RunAsync(["convert", "-q", "-f", "raw", "-O", "qcow2", RawPath, draft.DiskPath], $"The disk {draft.DiskPath} could not be made.", null, cancellationToken);
        File.Delete(RawPath);
        return await BootLoader.InstallAsync(
            draft.DiskPath, new BootLoaderOptions { Firmware = BootFirmware.Bios, KernelArguments = plan.Target.Profile?.KernelArguments(InstallMachine.KernelArguments) ?? InstallMachine.KernelArguments }, cancellationToken);
    }

    private Accelerator Chosen => options.Accelerator == Accelerator.Auto ? _accelerator!.Accelerator : options.Accelerator;

    /// <summary>
    /// Boots what was installed as its user will: by its own boot loader, so by QEMU where the installer ran in a machine that has no firmware; there it
    /// is then booted as well. A host without QEMU boots it there alone, and says so.
    /// </summary>
    private async Task<(BootReport Boot, IReadOnlyList<ImageProof> Proofs)> ProveAsync(string sockets, CancellationToken cancellationToken)
    {
        BootTrial trial = Trial(sockets);
        if (HasFirmware)
        {
            (BootReport booted, ImageProof its) = await HereAsync();
            return (booted, [its]);
        }

        var firmware = new QemuHypervisor(paths);
        if (await firmware.LookAsync(cancellationToken) is { IsUsable: false } lack)
        {
            log.Note($"Its boot loader is not tried here, only its system: {firmware.Name} is not usable: {lack.Reason!.TrimEnd('.')}. Where it is: virtigo images prove {plan.Name.Value}");
            (BootReport alone, ImageProof only) = await HereAsync();
            return (alone, [only]);
        }

        AcceleratorReport report = await firmware.ProbeAsync(installer.KernelPath, cancellationToken);
        (BootReport boot, ImageProof proof) = await OnAsync(firmware, report.Accelerator, report.Speed);
        try
        {
            return (boot, [proof, (await HereAsync()).Proof]);
        }
        catch (VirtigoException failure) when (failure.Kind == FailureKind.BootTest)
        {
            log.Note($"It boots in {firmware.Name}, and not in {hypervisor.Name}: {failure.Message}");
            return (boot, [proof]);
        }

        Task<(BootReport Boot, ImageProof Proof)> HereAsync() => OnAsync(hypervisor, Chosen, _accelerator!.Limits);

        async Task<(BootReport Boot, ImageProof Proof)> OnAsync(IHypervisor on, Accelerator accelerator, HostSpeed speed)
        {
            BootReport up = await trial.RunAsync(on, accelerator, speed, clock, log.Note, cancellationToken);
            return (up, new ImageProof(await RanAsync(on, accelerator, cancellationToken), Math.Round(up.UpAfter.TotalSeconds, 1), clock.GetUtcNow()));
        }
    }

    /// <summary>What ran a machine, for a manifest.</summary>
    internal static async Task<ImageHypervisor> RanAsync(IHypervisor ran, Accelerator accelerator, CancellationToken cancellationToken) =>
        new(ran.Name, await ran.VersionAsync(cancellationToken), accelerator.ToString().ToLowerInvariant());

    private BootTrial Trial(string sockets) => new()
    {
        Name = plan.Name.Value + "-boot-test",
        DiskPath = draft.DiskPath,
        FurtherDisks = [.. plan.Disk.Value.Further.Select(disk => (disk.Name, draft.FurtherDiskPath(disk.Name)))],
        Folder = draft.Directory,
        Sockets = sockets,
        ConsoleLog = Path.Combine(draft.Directory, BootLogName),
        Firmware = plan.Disk.Value.Firmware,
        Cpus = plan.Cpus.Value,
        MemoryMiB = plan.MemoryMiB.Value,
        Passphrase = plan.Disk.Value.Passphrase,
        Look = Profile is null ? null : LookAtProfileAsync,
    };

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

    private async Task<StoredImage> SealAsync(BootReport boot, IReadOnlyList<ImageProof> proofs, CancellationToken cancellationToken) =>
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
                Hypervisor = await RanAsync(hypervisor, Chosen, cancellationToken),
                Proofs = proofs,
                Profile = _profile ?? ImageProfile.None,
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
