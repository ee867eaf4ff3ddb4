using System.Security.Cryptography;
using Virtigo.Archives;
using Virtigo.Images;
using Virtigo.Installers;
using Virtigo.Installers.Debian;
using Virtigo.Installers.Ubuntu;

namespace Virtigo.Appliances;

/// <summary>How Ubuntu is installed: by the installer of its own medium, from the beginning each time.</summary>
internal sealed partial class ApplianceBuild
{
    private const string SeedName = "seed.iso";

    private async Task InstallFromAsync(UbuntuMedium medium, ArchiveProxy proxy, string sockets, CancellationToken cancellationToken)
    {
        if (medium.Verified == "given")
        {
            log.Note($"{medium.Name} is used as it was given: nothing vouches for it but you.");
        }

        string nonce = RandomNumberGenerator.GetHexString(32, lowercase: true);
        string seed = Path.Combine(draft.Directory, SeedName);
        InstallEstimator estimator = await InstallEstimator.LoadAsync(paths, Chosen, _accelerator!.Speed, UbuntuPlanner.Distribution, cancellationToken);
        var watcher = new UbuntuWatcher(new UbuntuWatcherOptions
        {
            Speed = _accelerator.Speed,
            Clock = clock,
            Estimator = estimator,
            OnEvent = log.Installing,
        });
        _evidence = () => watcher.LastLines(40);
        try
        {
            await UbuntuSeed.WriteAsync(seed, plan.ToUbuntuChoices(), nonce, cancellationToken);
            await QemuImage.CreateAsync(draft.DiskPath, plan.DiskBytes.Value, cancellationToken);
            await new UbuntuInstall(hypervisor, proxy, watcher).RunAsync(Job(sockets, nonce), medium.Path, seed, cancellationToken);
        }
        finally
        {
            File.Delete(seed);
        }

        _fetched = [medium.Record, .. proxy.Records];
        log.Installed();
        await estimator.LearnAsync(watcher.Timings, cancellationToken);
    }

    private InstallJob Job(string sockets, string nonce) => new()
    {
        Name = plan.Name.Value,
        SocketFolder = sockets,
        LogFolder = draft.Directory,
        DiskPath = draft.DiskPath,
        KernelPath = installer.KernelPath,
        InitrdPath = installer.InitrdPath,
        CommandLine = UbuntuBoot.CommandLine,
        Marker = UbuntuSeed.Marker(nonce),
        MemoryMiB = UbuntuBoot.MemoryMiB,
        Accelerator = Chosen,
        Firmware = plan.Disk.Value.Firmware,
        ArchivePorts = archives.All.Select(suite => ApplianceInstall.GuestPort(suite.Source.BaseUri)).ToHashSet(),
    };
}
