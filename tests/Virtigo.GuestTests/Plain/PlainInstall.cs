using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;
using Virtigo.Installers;
using Virtigo.Installers.Debian;

namespace Virtigo.GuestTests.Plain;

/// <summary>What a plain install led to.</summary>
/// <param name="DiskPath">The installed disk.</param>
/// <param name="Elapsed">From power-on to power-off.</param>
/// <param name="Stages">The time of each stage.</param>
public sealed record PlainResult(string DiskPath, TimeSpan Elapsed, IReadOnlyDictionary<string, TimeSpan> Stages);

/// <summary>
/// The netboot installer as it is, with a preseed file written by hand: all standard components, its own compressed initial file
/// system, its own kernel parameters. On the same QEMU, with the same flags, from the same package cache as <c>virtigo build</c>.
/// Components that the mirror lacks are handed over in the same way, and its log is read from the second serial port.
/// </summary>
public static class PlainInstall
{
    /// <summary>What the installer of a mirror with everything would load: every component of standard priority for this machine.</summary>
    private static readonly string[] Standard =
    [
        "apt-mirror-setup", "apt-setup-udeb", "base-installer", "bootstrap-base", "btrfs-modules", "btrfs-progs-udeb", "clock-setup",
        "debootstrap-udeb", "di-utils-mapdevfs", "disk-detect", "dosfstools-udeb", "e2fsprogs-udeb", "ext4-modules", "finish-install",
        "grub-installer", "grub-mount-udeb", "jfs-modules", "jfsutils-udeb", "kickseed-common", "lvm2-udeb", "md-modules", "mdadm-udeb",
        "nobootloader", "open-iscsi-udeb", "os-prober-udeb", "partman-auto", "partman-auto-lvm", "partman-auto-raid", "partman-base",
        "partman-basicfilesystems", "partman-basicmethods", "partman-btrfs", "partman-cros", "partman-efi", "partman-ext3", "partman-iscsi",
        "partman-jfs", "partman-lvm", "partman-md", "partman-partitioning", "partman-target", "partman-utils", "partman-xfs", "pkgsel",
        "rdate-udeb", "scsi-modules", "systemd-boot-installer", "tzsetup-udeb", "user-setup-udeb", "xfs-modules",
    ];

    public static string Preseed(AppliancePlan plan) => new StreamReader(
            typeof(PlainInstall).Assembly.GetManifestResourceStream("plain.preseed")!, Encoding.UTF8).ReadToEnd()
        .Replace("@MIRROR_HOST@", plan.Mirror.Value.Authority, StringComparison.Ordinal)
        .Replace("@MIRROR_PATH@", plan.Mirror.Value.AbsolutePath.TrimEnd('/'), StringComparison.Ordinal)
        .Replace("@SUITE@", plan.Release.Value, StringComparison.Ordinal)
        .Replace("@SECURITY_HOST@", plan.SecurityMirror.Value.Authority, StringComparison.Ordinal);

    /// <summary>Installs into a folder.</summary>
    public static async Task<PlainResult> RunAsync(
        HostPaths paths, AppliancePlan plan, string folder, Action<string>? progress, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        using var client = new ArchiveClient(new Pool(paths.Pool), new ArchiveOptions());
        PlanArchives archives = await PlanArchives.OpenAsync(client, plan, cancellationToken);
        InstallerBuild installer = await new InstallerAssembler(client, paths)
            .AssembleAsync(archives.Release, plan.Architecture.Value, Standard, cancellationToken);
        string initrd = await ComposeAsync(installer, plan, folder, cancellationToken);
        string disk = Path.Combine(folder, "plain.qcow2");
        File.Delete(disk);
        await QemuImage.CreateAsync(disk, plan.DiskBytes.Value, cancellationToken);

        var hypervisor = new QemuHypervisor(paths);
        AcceleratorReport accelerator = await hypervisor.ProbeAsync(installer.KernelPath, cancellationToken);
        var stages = new StageClock(progress);
        var watcher = new InstallWatcher(new InstallWatcherOptions { Speed = accelerator.Speed, OnEvent = stages.See });
        using SocketFolder sockets = SocketFolder.Create(paths);
        var proxy = new ArchiveProxy(archives.Routes(), client.Pool, new ArchiveProxyOptions { Architecture = plan.Architecture.Value });
        var elapsed = Stopwatch.StartNew();
        await new DebianInstall(hypervisor, proxy, watcher).RunAsync(
            new InstallJob
            {
                Name = "plain",
                SocketFolder = sockets.Path,
                LogFolder = folder,
                DiskPath = disk,
                KernelPath = installer.KernelPath,
                InitrdPath = initrd,
                CommandLine = "auto=true priority=critical console=ttyS0 --- console=tty0 console=ttyS0,115200",
                MemoryMiB = Math.Max(1024, plan.MemoryMiB.Value),
                Accelerator = accelerator.Accelerator,
                ArchivePorts = new HashSet<int> { 80 },
            },
            cancellationToken);
        elapsed.Stop();
        File.Delete(initrd);
        return new PlainResult(disk, elapsed.Elapsed, stages.Finish());
    }

    private static async Task<string> ComposeAsync(InstallerBuild installer, AppliancePlan plan, string folder, CancellationToken cancellationToken)
    {
        // The distribution ships its initial file system compressed; the guest has to unpack it.
        string compressed = Path.Combine(folder, "initrd.gz");
        await using (FileStream output = File.Create(compressed))
        await using (var gzip = new GZipStream(output, CompressionLevel.Optimal))
        await using (FileStream input = File.OpenRead(installer.InitrdPath))
        {
            await input.CopyToAsync(gzip, cancellationToken);
        }

        string initrd = Path.Combine(folder, "initrd");
        IReadOnlyList<InitrdFile> all = InstallHooks.Shared(Preseed(plan), plan.Mirror.Value.Authority, plan.Disk.Value, plan.InstallMachine());
        await InitrdComposer.ComposeAsync(initrd, installer with { InitrdPath = compressed },
            [.. all.Where(file => file.Path is "preseed.cfg" or "usr/lib/debian-installer-startup.d/S02virtigo")], cancellationToken);
        File.Delete(compressed);
        return initrd;
    }

    private sealed class StageClock(Action<string>? progress)
    {
        private readonly Dictionary<string, TimeSpan> _stages = [];
        private readonly Stopwatch _clock = Stopwatch.StartNew();
        private InstallStage _stage;
        private TimeSpan _since;

        public void See(InstallEvent happened)
        {
            if (happened is InstallProgress now && now.Stage != _stage)
            {
                Close();
                _stage = now.Stage;
                progress?.Invoke($"plain: {_stage} after {_clock.Elapsed.TotalSeconds:0} s");
            }
        }

        public Dictionary<string, TimeSpan> Finish()
        {
            Close();
            return _stages;
        }

        private void Close()
        {
            _stages[_stage.ToString()] = _stages.GetValueOrDefault(_stage.ToString()) + _clock.Elapsed - _since;
            _since = _clock.Elapsed;
        }
    }
}
