using System.Globalization;
using System.Security.Cryptography;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Installers;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>
/// The install of an appliance. Every install waits where its way parts from other appliances' (before it knows its appliance, and again after each
/// appliance that another builds on), is saved there, and goes on from what was saved: so one that finds another's saved there differs from it
/// in nothing.
/// </summary>
internal sealed class ApplianceInstall(
    HostPaths paths, IHypervisor hypervisor, TimeProvider clock, BuildLog log, AppliancePlan plan, PlanArchives archives, InstallerBuild installer,
    ArchiveProxy proxy)
{
    /// <summary>What debian-installer and the unpacked initial file system need. Not the plan's: nothing of it is to be seen in the image.</summary>
    public const int MemoryMiB = 1024;

    private readonly InstallPointStore _points = new(paths);
    private readonly IReadOnlyList<AppliancePlan> _parts = plan.Parts;
    private IReadOnlyList<ProxyRecord> _fetchedBefore = [];
    private InstallEstimator? _estimator;
    private InstallWatcher? _watcher;

    /// <summary>The folder of this install, for its logs and what it needs.</summary>
    public required string Folder { get; init; }

    /// <summary>The disk to make.</summary>
    public required string DiskPath { get; init; }

    /// <summary>The format of the disk to make.</summary>
    public Hypervisors.DiskFormat DiskFormat { get; init; }

    /// <summary>Where each further disk is to be made, by its name.</summary>
    public required Func<string, string> FurtherDiskPath { get; init; }

    /// <summary>A folder with a short path, for sockets.</summary>
    public required string Sockets { get; init; }

    /// <summary>How the guest's instructions run.</summary>
    public required Accelerator Accelerator { get; init; }

    /// <summary>The host's speed.</summary>
    public required HostSpeed Speed { get; init; }

    /// <summary>Whether to go on from nothing that was saved.</summary>
    public bool Full { get; init; }

    /// <summary>What the installer said last.</summary>
    public IReadOnlyList<string> LastLines() => _watcher?.LastLines(40) ?? [];

    /// <summary>Installs.</summary>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>What the installer fetched, also before it was saved.</returns>
    /// <exception cref="VirtigoException">The install failed.</exception>
    public async Task<IReadOnlyList<ProxyRecord>> RunAsync(CancellationToken cancellationToken)
    {
        _estimator = await InstallEstimator.LoadAsync(paths, Accelerator, Speed, distribution: null, cancellationToken);
        InstallJob job = await JobAsync(cancellationToken);
        try
        {
            await ((hypervisor.Capabilities.Fork ? InstallWay.NotShared(plan) : hypervisor.Capabilities.Reasons["fork"]) is { } reason ? WholeAsync(job, reason, cancellationToken) : ByPointsAsync(job, cancellationToken));
        }
        finally
        {
            // Its answers may hold secrets.
            File.Delete(job.InitrdPath);
        }

        await _estimator.LearnAsync(_watcher!.Timings, cancellationToken);
        return Fetched;
    }

    private IReadOnlyList<ProxyRecord> Fetched => [.. _fetchedBefore, .. proxy.Records];

    private async Task WholeAsync(InstallJob job, string reason, CancellationToken cancellationToken)
    {
        log.Note($"Installs from the beginning, and saves no installer for others: {reason}.");
        await WatchFromAsync(InstallStage.Components, cancellationToken);
        await CreateDisksAsync(cancellationToken);
        await Installer().RunAsync(GoingOn(job, 0, null), cancellationToken);
    }

    private async Task ByPointsAsync(InstallJob job, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> keys = InstallWay.Keys(plan, archives, installer, await GuestPlatform.OfAsync(hypervisor, Accelerator, cancellationToken));
        using InstallPointTurn turn = await ReachAsync(keys, keys.Count - 1, job, cancellationToken);
        await TakeAsync(turn, keys.Count - 1, cancellationToken);
        await Installer().RunAsync(GoingOn(job, keys.Count - 1, turn), cancellationToken);
    }

    /// <summary>The turn at the point before a part, which is saved when this returns.</summary>
    private async Task<InstallPointTurn> ReachAsync(IReadOnlyList<string> keys, int part, InstallJob job, CancellationToken cancellationToken)
    {
        InstallPointTurn turn = await _points.EnterAsync(
            keys[part], () => log.Note("Another build comes the same way; waiting until it parts from this one."), cancellationToken);
        try
        {
            if (turn.Point is not null && !Full)
            {
                return turn;
            }

            if (part == 0)
            {
                await WatchFromAsync(InstallStage.Components, cancellationToken);
                await CreateDisksAsync(cancellationToken);
                await Installer().SaveWaitingAsync(job, turn.Begin(), cancellationToken);
            }
            else
            {
                using InstallPointTurn before = await ReachAsync(keys, part - 1, job, cancellationToken);
                await TakeAsync(before, part - 1, cancellationToken);
                await Installer().SaveWaitingAsync(GoingOn(job, part - 1, before), turn.Begin(), cancellationToken);
            }

            await turn.KeepAsync(new InstallPoint(keys[part], InstallWay.Before(plan, part), clock.GetUtcNow(), Fetched), DiskPaths, Folder, cancellationToken);
            return turn;
        }
        catch
        {
            turn.Dispose();
            throw;
        }
    }

    private async Task TakeAsync(InstallPointTurn turn, int part, CancellationToken cancellationToken)
    {
        // What this install itself came to is there already.
        if (_watcher is not null)
        {
            return;
        }

        InstallPoint point = turn.Point!;
        log.Note(string.Create(CultureInfo.InvariantCulture, $"Goes on from where an install of {point.Created:yyyy-MM-dd HH:mm} UTC came to ")
            + (part == 0 ? "before it knew its appliance." : $"with {_parts[part - 1].Name.Value}, before what builds on it."));
        await WatchFromAsync(part == 0 ? InstallStage.Packages : InstallStage.Finishing, cancellationToken);
        await turn.TakeAsync(DiskPaths, Folder, clock.GetUtcNow(), cancellationToken);
        _fetchedBefore = point.Fetched;
    }

    private async Task WatchFromAsync(InstallStage first, CancellationToken cancellationToken)
    {
        TemplateCatalog templates = await TemplateCatalog.OfAsync(installer, cancellationToken);
        foreach (string warning in plan.Preseed.Check(templates))
        {
            log.Note(warning);
        }

        Func<string, IReadOnlyList<string>> near = await archives.NearnessAsync();
        _watcher = new InstallWatcher(new InstallWatcherOptions
        {
            Speed = Speed,
            FirstStage = first,
            Clock = clock,
            Estimator = _estimator,
            Templates = templates,
            NearPackages = near,
            OnEvent = log.Installing,
        });
    }

    private IReadOnlyList<string> DiskPaths => [DiskPath, .. plan.Disk.Value.Further.Select(disk => FurtherDiskPath(disk.Name))];

    private async Task CreateDisksAsync(CancellationToken cancellationToken)
    {
        if (DiskFormat == Hypervisors.DiskFormat.Raw)
        {
            await using FileStream disk = File.Create(DiskPath);
            disk.SetLength(plan.DiskBytes.Value);
        }
        else
        {
            await QemuImage.CreateAsync(DiskPath, plan.DiskBytes.Value, cancellationToken);
        }

        foreach (FurtherDisk disk in plan.Disk.Value.Further)
        {
            await disk.Table.CreateAsync(FurtherDiskPath(disk.Name), disk.MiB << 20, cancellationToken);
        }
    }

    private DebianInstall Installer() => new(hypervisor, proxy, _watcher!);

    private async Task<InstallJob> JobAsync(CancellationToken cancellationToken)
    {
        string initrd = Path.Combine(Folder, "initrd");
        string preseed = PreseedWriter.Write(DebianAnswers.Shared(await ChoicesAsync(_parts[0])), redact: false);
        await InitrdComposer.ComposeAsync(initrd, installer, InstallHooks.Shared(preseed, plan.Mirror.Value.Authority, plan.Disk.Value, plan.InstallMachine()), cancellationToken);
        return new InstallJob
        {
            Name = plan.Name.Value,
            SocketFolder = Sockets,
            LogFolder = Folder,
            DiskPath = DiskPath,
            DiskFormat = DiskFormat,
            FurtherDisks = ImageStore.FurtherDisks(plan.Disk.Value.Further.Select(disk => disk.Name), FurtherDiskPath),
            KernelPath = hypervisor.OwnKernel ?? installer.KernelPath,
            InitrdPath = initrd,
            CommandLine = DebianBoot.CommandLine(plan.InstallMachine(), DebianBoot.CheapToEmulate),
            MemoryMiB = MemoryMiB,
            Accelerator = Accelerator,
            Firmware = plan.Disk.Value.Firmware,
            ArchivePorts = archives.All.Select(suite => GuestPort(suite.Source.BaseUri)).ToHashSet(),
        };
    }

    private async Task<DebianChoices> ChoicesAsync(AppliancePlan part) =>
        part.ToDebianChoices() with { EarlyPackages = EarlyPackages.For(plan.Disk.Value, plan.InstallMachine(), await archives.ExistenceAsync()) };

    /// <summary>The same guest, as it goes on with what a part of the appliance is: from what was saved, if anything was.</summary>
    private InstallJob GoingOn(InstallJob job, int part, InstallPointTurn? turn)
    {
        string nonce = RandomNumberGenerator.GetHexString(32, lowercase: true);
        DebianChoices choices = _parts[part].ToDebianChoices();
        bool more = part < _parts.Count - 1;
        return job with
        {
            SavedState = turn?.StatePath,
            OwnPart = token =>
            {
                // The guest has its state by now: others may go on from it.
                turn?.Dispose();
                return InstallHooks.PackAsync(
                    part == 0
                        ? InstallHooks.Own(choices, PreseedWriter.Write(DebianAnswers.Own(choices), redact: false), nonce, more)
                        : InstallHooks.Layer(choices, part, nonce, more),
                    clock.GetUtcNow(), token);
            },
            Marker = InstallHooks.Marker(nonce),
        };
    }

    /// <summary>The guest speaks HTTP to the proxy, whatever the proxy speaks to the archive.</summary>
    public static int GuestPort(Uri mirror) => mirror.IsDefaultPort ? 80 : mirror.Port;
}
