using System.Diagnostics;
using System.Text.Json;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Installers.Debian;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.GuestTests.Xen;

/// <summary>How a test within the dom0 ended.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Status"><c>passed</c>, <c>failed</c> or <c>skipped</c>.</param>
/// <param name="Time">How long it took.</param>
/// <param name="Message">What it said.</param>
public sealed record InnerTest(string Name, string Status, TimeSpan Time, string Message);

/// <summary>What the command finds in a dom0.</summary>
public enum BedStore
{
    /// <summary>There is no command.</summary>
    None,

    /// <summary>The lab's image.</summary>
    Image,

    /// <summary>
    /// The lab's image and everything that was fetched for it: appliances can be built. The processor gives Xen no nested paging then, so guests are PV: a
    /// guest that is emulated by an emulated processor does not live for the time of an install.
    /// </summary>
    Whole,
}

/// <summary>
/// A real dom0: an appliance built by Virtigo, a machine of QEMU's that boots Xen from its own disk, and this test program in it. The machine is always
/// emulated, by one processor that helps Xen as far as emulation can, so that the same is tested everywhere: on two, guests that are not PV lose interrupts.
/// </summary>
public sealed class XenBed : IAsyncDisposable
{
    private const string Tests = "/opt/tests";
    private const string Dotnet = "/opt/dotnet";
    private const string Ground = "/opt/ground";
    private const string Report = "/opt/results/report.json";
    private const string Command = "/opt/command";
    private const int FurnitureMiB = 8192;
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(60);
    private static readonly CommandOptions s_options = new()
    {
        Limit = s_limit,
        Environment = new Dictionary<string, string>
        {
            ["DOTNET_ROOT"] = Dotnet,
            ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1",
            ["DOTNET_TieredPGO"] = "0",
            ["HOME"] = "/root",
            [XenGround.Variable] = Ground,
            ["VIRTIGO_HOME"] = XenGround.Home,
            ["VIRTIGO_COMMAND"] = "/nowhere",
            ["VIRTIGO_EXAMPLES"] = "/nowhere",
            ["VIRTIGO_README"] = "/nowhere",
        },
    };
    private static readonly string[] s_crashes = ["------------[ cut here ]", "Kernel panic - not syncing", "its kernel has panicked", "its first process has crashed", "BUG: "];
    private readonly IDisposable _place;
    private readonly SocketFolder _sockets;
    private readonly WorkFolder _work;

    private XenBed(IDisposable place, SocketFolder sockets, WorkFolder work, Machine machine) =>
        (_place, _sockets, _work, Dom0) = (place, sockets, work, machine);

    /// <summary>The machine.</summary>
    public Machine Dom0 { get; }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Builds the appliance if need be, starts the machine and puts the tests into it.</summary>
    /// <param name="lab">What the tests share.</param>
    /// <param name="store">What the command has there.</param>
    public static async Task<XenBed> StartAsync(Lab lab, BedStore store = BedStore.None)
    {
        // The installed one first: the bed's own is then a layer above it.
        StoredImage golden = await lab.Golden;
        StoredImage image = await BuildAsync(lab);
        AcceleratorReport accelerator = await new QemuHypervisor(lab.Paths).ProbeAsync((await lab.Installer).KernelPath, Cancel);
        IDisposable place = await lab.PlaceAsync(isLong: true);
        SocketFolder? sockets = null;
        WorkFolder? work = null;
        Machine? dom0 = null;
        try
        {
            sockets = SocketFolder.Create(lab.Paths);
            work = WorkFolder.Create(lab.Paths, "xen");
            string overlay = Path.Combine(work.Path, "overlay.qcow2");
            await QemuImage.CreateOverlayAsync(image.DiskPath, null, overlay, Cancel);
            string furniture = await MakeFurnitureAsync(lab, golden, store, work.Path);
            dom0 = new Machine(new MachineConfig
            {
                Name = "dom0",
                Hypervisor = new QemuHypervisor(lab.Paths),
                Speed = accelerator.Speed,
                Guest = new GuestConfig
                {
                    Name = "dom0",
                    WorkDirectory = sockets.Path,
                    MemoryMiB = store == BedStore.None ? 2048 : 3584,
                    Accelerator = Accelerator.Tcg,
                    CpuModel = GuestPlatform.EmulatedProcessor + (store == BedStore.Whole ? "" : ",+npt"),
                    AgentChannel = true,
                    StreamChannel = true,
                    Disks =
                    [
                        new GuestDisk(overlay, Virtigo.Hypervisors.DiskFormat.Qcow2) { Unsafe = true },
                        new GuestDisk(furniture, Virtigo.Hypervisors.DiskFormat.Raw) { Unsafe = true },
                    ],
                    Serials = [new GuestSerial("console") { LogFile = Path.Combine(work.Path, "console.log") }],
                },
            });
            var clock = Stopwatch.StartNew();
            await dom0.StartAsync(Cancel);
            await FurnishAsync(dom0);
            TestContext.Current.SendDiagnosticMessage("The dom0 is up and has what tests need after {0:0} s.", clock.Elapsed.TotalSeconds);
            return new XenBed(place, sockets, work, dom0);
        }
        catch
        {
            await (dom0?.DisposeAsync() ?? ValueTask.CompletedTask);
            work?.Dispose();
            sockets?.Dispose();
            place.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Runs tests in the dom0, as its root. Kernels in it are emulated twice, and some crash that are good: a test in which one did counts when it does again.
    /// </summary>
    /// <param name="filters">The options that say which.</param>
    public async Task<IReadOnlyList<InnerTest>> RunAsync(params string[] filters)
    {
        IReadOnlyList<InnerTest> tests = await RunOnceAsync(filters);
        InnerTest[] crashed = [.. tests.Where(test => test.Status == "failed" && s_crashes.Any(words => test.Message.Contains(words, StringComparison.Ordinal)))];
        if (crashed.Length == 0)
        {
            return tests;
        }

        foreach (InnerTest test in crashed)
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"A kernel crashed; once more: {test.Name}\n{test.Message}");
        }

        IReadOnlyList<InnerTest> again = await RunOnceAsync([.. crashed.SelectMany(test => (string[])["--filter-method", test.Name.Split('(')[0]])]);
        return [.. tests.Except(crashed), .. again.Where(test => crashed.Any(one => one.Name == test.Name))];
    }

    private async Task<IReadOnlyList<InnerTest>> RunOnceAsync(string[] filters)
    {
        // One after the other: guests that share the one processor take three times as long together.
        string command = ShellQuote.Command(Tests + "/Virtigo.GuestTests",
        [
            "--no-ansi", "--progress", "off", "--parallel", "none", "--results-directory", Path.GetDirectoryName(Report)!,
            "--report-xunit-ctrf", "--report-xunit-ctrf-filename", Path.GetFileName(Report), .. filters,
        ]);
        await Dom0.ExecuteAsync("rm -f " + Report, Cancel);
        Machines.CommandResult result = await Dom0.ExecuteAsync(command, s_options, Cancel);
        Machines.CommandResult report = await Dom0.ExecuteAsync("cat " + Report, Cancel);
        Assert.True(report.ExitCode == 0, $"The tests within the dom0 made no report, and ended with {result.ExitCode}:\n{result.Output}\n{result.Error}");
        return Read(report.Output);
    }

    /// <summary>Runs the command in the dom0, as its root.</summary>
    public Task<Machines.CommandResult> CommandAsync(params string[] arguments) =>
        Dom0.ExecuteAsync(ShellQuote.Command(Command + "/virtigo", arguments), s_options, Cancel);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Dom0.DisposeAsync();
        _work.Dispose();
        _sockets.Dispose();
        _place.Dispose();
    }

    /// <summary>Reads a report in the Common Test Report Format.</summary>
    internal static IReadOnlyList<InnerTest> Read(string report)
    {
        using var document = JsonDocument.Parse(report);
        return
        [
            .. document.RootElement.GetProperty("results").GetProperty("tests").EnumerateArray().Select(test => new InnerTest(
                test.GetProperty("name").GetString()!, test.GetProperty("status").GetString()!, TimeSpan.FromMilliseconds(test.GetProperty("duration").GetDouble()),
                string.Join('\n', ((string[])["message", "trace"]).Select(key => test.TryGetProperty(key, out JsonElement text) ? text.GetString() : null).OfType<string>()))),
        ];
    }

    private static async Task<StoredImage> BuildAsync(Lab lab)
    {
        using IDisposable place = await lab.PlaceAsync(isLong: true);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-xen");
        try
        {
            string spec = Path.Combine(folder.FullName, "xen-dom0.yml");
            File.Copy(Path.Combine(AppContext.BaseDirectory, "Xen", "xen-dom0.yml"), spec);
            CommandResult result = await lab.RunAsync("build", spec);
            Assert.True(result.ExitCode == 0, $"virtigo build ended with {result.ExitCode}:\n{result.People}");
            return new ImageStore(lab.Paths).Find("xen-dom0");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Makes the disk with what is not the system's: far faster than handing it to a guest that is emulated.</summary>
    private static async Task<string> MakeFurnitureAsync(Lab lab, StoredImage golden, BedStore store, string work)
    {
        string top = Path.Combine(work, "furniture");
        string runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        string root = Path.GetFullPath(Path.Combine(runtime, "..", "..", ".."));
        string resolver = Directory.EnumerateDirectories(Path.Combine(root, "host", "fxr")).Order(StringComparer.Ordinal).Last();
        foreach (string folder in (string[])[runtime, resolver])
        {
            await CopyAsync(folder, Path.Combine(In(top, Dotnet), Path.GetRelativePath(root, folder)));
        }

        await CopyAsync(AppContext.BaseDirectory, In(top, Tests));
        await QemuImage.CreateAsync(Path.Combine(Directory.CreateDirectory(In(top, Ground)).FullName, "empty.qcow2"), 1 << 20, Cancel);
        if (store != BedStore.None)
        {
            await CopyAsync(Path.GetDirectoryName(lab.Command)!, In(top, Command));
            await MakeHomeAsync(lab, golden, store, In(top, XenGround.Home));
        }

        string disk = Path.Combine(work, "furniture.img");
        await Tool.RunAsync("mke2fs", ["-q", "-t", "ext4", "-d", top, disk, FormattableString.Invariant($"{FurnitureMiB}m")], Cancel);
        Directory.Delete(top, recursive: true);
        return disk;
    }

    /// <summary>Makes the folder that the command in the dom0 has everything in: the image, and what its plan is made from without a network.</summary>
    private static async Task MakeHomeAsync(Lab lab, StoredImage golden, BedStore store, string folder)
    {
        var home = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? folder : null);
        await Tool.RunAsync("env", ["VIRTIGO_HOME=" + folder, lab.Command, "explain", lab.Example], Cancel);
        Directory.CreateDirectory(home.Images);
        await Tool.RunAsync("cp", ["-al", Path.GetDirectoryName(golden.DiskPath)!, home.Images], Cancel);
        await CopyAsync(lab.Paths.Builds, home.Builds);
        if (store == BedStore.Whole)
        {
            await lab.AssembleAsync(InstallMachine.Xen);
            await Tool.RunAsync("cp", ["-alfT", lab.Paths.Pool, home.Pool], Cancel);
            await Tool.RunAsync("cp", ["-alfT", lab.Paths.Installers, home.Installers], Cancel);
        }
    }

    private static string In(string top, string path) => Path.Combine(top, Path.GetRelativePath("/opt", path));

    private static async Task CopyAsync(string folder, string target)
    {
        Directory.CreateDirectory(target);
        await Tool.RunAsync("cp", ["-rT", folder, target], Cancel);
    }

    /// <summary>Mounts the disk, and adds what of the system's own the tests need.</summary>
    private static async Task FurnishAsync(Machine dom0) => await dom0.RunAsync($$"""
        set -e
        mount /dev/vdb /opt
        cd {{Ground}}
        cp "/boot/vmlinuz-$(uname -r)" vmlinuz
        cp /bin/busybox busybox
        unpack() {
          list=$1
          shift
          modprobe -aD "$@" | while read -r verb path _; do
            name=$(basename "$path" .xz)
            if [ "$verb" = insmod ] && ! grep -qsx "$name" "$list"; then
              busybox xz -dc "$path" >"$name"
              echo "$name" >>"$list"
            fi
          done
        }
        unpack own-modules xen-blkfront xen-netfront
        unpack machine-modules virtio_pci virtio_blk virtio_net virtio_console ata_piix sr_mod
        """.ReplaceLineEndings("\n"), Cancel);
}
