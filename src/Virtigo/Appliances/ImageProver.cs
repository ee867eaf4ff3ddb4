using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Machines;

namespace Virtigo.Appliances;

/// <summary>Proves that images boot, under any hypervisor, and records it in their manifests.</summary>
/// <param name="paths">Where everything is kept.</param>
/// <param name="clock">The clock; the system's when null.</param>
public sealed class ImageProver(HostPaths paths, TimeProvider? clock = null)
{
    private const string ConsoleName = "boot-test-console.log";
    private readonly TimeProvider _clock = clock ?? TimeProvider.System;

    /// <summary>Boots a copy of an image until its agent says that all is well, and records the proof.</summary>
    /// <param name="image">The image.</param>
    /// <param name="hypervisor">What is to run it.</param>
    /// <param name="passphrase">What opens its disk; null when nothing need.</param>
    /// <param name="note">Told what people should know; null for nobody.</param>
    /// <param name="cancellationToken">Ends the boot; nothing of it remains.</param>
    /// <returns>The proof.</returns>
    /// <exception cref="VirtigoException">
    /// It cannot start there (<see cref="FailureKind.Usage"/>), the host lacks something (<see cref="FailureKind.Host"/>), or it did not come up well
    /// (<see cref="FailureKind.BootTest"/>): <see cref="VirtigoException.ReportDirectory"/> then has its console.
    /// </exception>
    public async Task<ImageProof> ProveAsync(
        StoredImage image, IHypervisor hypervisor, string? passphrase, Action<string>? note, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(hypervisor);
        var store = new ImageStore(paths, _clock);
        using ImageLease lease = await store.LeaseAsync(image, cancellationToken);
        WorkFolder.Sweep(paths);
        using var work = WorkFolder.Create(paths, "proof");
        using SocketFolder sockets = SocketFolder.Create(paths);
        int memory = ImageRun.MemoryOf(image.Manifest);
        HostBudget budget = await GuestMemory.BudgetAsync(hypervisor, paths, _clock, cancellationToken);
        using IDisposable reserved = await budget.ReserveAsync(
            memory + HostBudget.OverheadMiB, $"The proof of {image.Name}", () => note?.Invoke("Waiting for memory that other machines use."), cancellationToken);
        AcceleratorReport? report = await ImageKernel.MeasureAsync(paths, image, hypervisor, cancellationToken);
        var trial = new BootTrial
        {
            Name = image.Name + "-proof",
            DiskPath = image.DiskPath,
            FurtherDisks = [.. image.Manifest.FurtherDisks.Select(disk => disk.Name).Zip(image.FurtherDiskPaths)],
            Folder = work.Path,
            Sockets = sockets.Path,
            ConsoleLog = Path.Combine(work.Path, ConsoleName),
            Firmware = Firmwares.Of(image.Manifest.Firmware),
            MemoryMiB = memory,
            Passphrase = passphrase is null ? null : new Passphrase(passphrase, ""),
        };
        Accelerator accelerator = report?.Accelerator ?? Accelerator.Auto;
        try
        {
            BootReport boot = await trial.RunAsync(hypervisor, accelerator, report?.Limits ?? HostSpeed.OfReference, _clock, note ?? (_ => { }), cancellationToken);
            var proof = new ImageProof(
                await ApplianceBuild.RanAsync(hypervisor, report?.Accelerator ?? Accelerator.Tcg, cancellationToken),
                Math.Round(boot.UpAfter.TotalSeconds, 1), _clock.GetUtcNow());
            await store.RecordProofAsync(image, proof, cancellationToken);
            return proof;
        }
        catch (VirtigoException failure) when (failure.Kind == FailureKind.BootTest)
        {
            string folder = await new FailureReportWriter(paths, _clock).WriteAsync(
                FailureReport.Of(failure, image.Name, $"virtigo images prove {ImageKey.Short(image.Key)} --hypervisor {hypervisor.Name}") with { Stage = "boot test" },
                [new ReportFile(ConsoleName, SourcePath: trial.ConsoleLog)], passphrase is null ? [] : [passphrase], CancellationToken.None);
            throw new VirtigoException(failure.Kind, failure.Message, failure.Hint, failure) { ReportDirectory = folder };
        }
    }
}
