using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.GuestTests;
using Virtigo.GuestTests.Plain;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;
using Virtigo.Installers.Debian;
using Xunit;

[assembly: AssemblyFixture(typeof(Lab))]


namespace Virtigo.GuestTests;

/// <summary>
/// What the guest tests share: the command under test, one appliance installed by it, one plain install to compare with. Both are kept
/// in this user's own cache, so that a second run of the tests installs nothing.
/// </summary>
public sealed class Lab
{
    private readonly Lazy<Task<StoredImage>> _golden;
    private readonly Lazy<Task<string>> _plain;
    private readonly Lazy<Task<InstallerBuild>> _installer;

    // Far more than anything takes: one that hangs is to fail by its name, instead of keeping all others from their places.
    private static readonly TimeSpan s_commandPatience = TimeSpan.FromMinutes(60);
    private static readonly TimeSpan s_placePatience = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan s_longPatience = TimeSpan.FromHours(4);
    private readonly Places _places = new(Math.Max(2, Environment.ProcessorCount));

    public Lab()
    {
        _golden = new(BuildGoldenAsync);
        _plain = new(InstallPlainAsync);
        _installer = new(() => AssembleAsync(InstallMachine.Virtio));
    }

    public HostPaths Paths { get; } = HostPaths.FromEnvironment();

    /// <summary>The command, as published for users.</summary>
    public string Command { get; } = Required("VIRTIGO_COMMAND");

    public string Example { get; } = Path.Combine(Required("VIRTIGO_EXAMPLES"), "web.yml");

    public string Readme { get; } = Required("VIRTIGO_README");

    /// <summary>The appliance of <c>examples/web.yml</c>, built by the command.</summary>
    public Task<StoredImage> Golden => _golden.Value;

    /// <summary>The disk of the same machine, installed by the plain installer.</summary>
    public Task<string> PlainDisk => _plain.Value;

    internal Task<InstallerBuild> Installer => _installer.Value;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Waits for a place for one guest: cores are what is scarce.</summary>
    /// <param name="isLong">Whether a system is installed: its place is given before others. Else a test that keeps its places for half an hour is cancelled, unless it is a thorough one.</param>
    public Task<IDisposable> PlaceAsync(bool isLong = false) => PlacesAsync(1, isLong);

    /// <summary>Waits for every place: what boots several machines at once would else be too slow for its limits beside an install.</summary>
    public Task<IDisposable> AllPlacesAsync() => PlacesAsync(_places.Count, isLong: false);

    private static bool IsThorough =>
        TestContext.Current.Test is { } test && test.Traits.TryGetValue(Tiers.Name, out IReadOnlyCollection<string>? tiers) && tiers.Contains(Tiers.Thorough);

    private async Task<IDisposable> PlacesAsync(int count, bool isLong) =>
        new WatchedPlaces(await _places.TakeAsync(count, isLong, Cancel), isLong || IsThorough ? s_longPatience : s_placePatience);

    public async Task<AppliancePlan> PlanAsync()
    {
        ApplianceSpec spec = await ApplianceSpec.LoadAsync(Example, new SpecOptions(), Cancel);
        return await new AppliancePlanner(HostPlanning.On(Paths, new ArchiveOptions())).PlanAsync(spec, Cancel);
    }

    /// <summary>A file of a package of the appliance's archive, fetched and verified as everything of it is.</summary>
    public async Task<byte[]> ReadPackagedFileAsync(string package, string path)
    {
        const long most = 16 << 20;
        using DebPackage deb = DebPackage.Open(await PackageAsync(package));
        return deb.ReadFile(path, most) ?? throw new InvalidOperationException($"{package} has no {path}.");
    }

    /// <summary>A package of the appliance's archive, fetched and verified as everything of it is.</summary>
    public async Task<string> PackageAsync(string package)
    {
        AppliancePlan plan = await PlanAsync();
        using var client = new ArchiveClient(new Pool(Paths.Pool), new ArchiveOptions());
        PlanArchives archives = await PlanArchives.OpenAsync(client, plan, Cancel);
        PackageIndex packages = await archives.Release.PackagesAsync("main", plan.Architecture.Value, installer: false, Cancel);
        PackageEntry entry = packages.Find(package) ?? throw new InvalidOperationException($"The archive has no {package}.");
        return await archives.Release.FetchPackageAsync(entry, Cancel);
    }

    /// <summary>Runs the command and waits for its end.</summary>
    public Task<CommandResult> RunAsync(params string[] arguments) => RunAsync(Paths.Data, arguments);

    /// <summary>Runs the command in a folder and waits for its end.</summary>
    public async Task<CommandResult> RunAsync(string folder, string[] arguments)
    {
        Directory.CreateDirectory(folder);
        using Process process = Start(arguments, folder);
        var (data, people) = (new StringBuilder(), new StringBuilder());
        Task read = Task.WhenAll(ReadAsync(process.StandardOutput, data), ReadAsync(process.StandardError, people));
        try
        {
            await Task.WhenAll(read, process.WaitForExitAsync(Cancel)).WaitAsync(s_commandPatience, Cancel);
        }
        catch (Exception error) when (error is TimeoutException or OperationCanceledException)
        {
            Assert.Fail($"virtigo {string.Join(' ', arguments)} {(process.HasExited ? "left its output open" : "did not end")}:\n{Said(data)}\n{Said(people)}");
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }

        return new CommandResult(process.ExitCode, Said(data), Said(people));
    }

    private static async Task ReadAsync(StreamReader output, StringBuilder said)
    {
        char[] buffer = new char[4096];
        for (int count; (count = await output.ReadAsync(buffer, Cancel)) > 0;)
        {
            lock (said)
            {
                said.Append(buffer, 0, count);
            }
        }
    }

    private static string Said(StringBuilder said)
    {
        lock (said)
        {
            return said.ToString();
        }
    }

    /// <summary>Starts the command.</summary>
    public Process Start(params string[] arguments) => Start(arguments, Path.GetTempPath());

    // A shell starts what it puts into the background with SIGINT ignored, and every child inherits that: env undoes it.
    private Process Start(string[] arguments, string folder) => Process.Start(new ProcessStartInfo("env", ["--default-signal=INT", Command, .. arguments])
    {
        WorkingDirectory = folder,
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    /// <summary>A machine on a throw-away copy of a disk.</summary>
    public async Task<BootedCopy> BootAsync(string disk, string? network = null, FirmwareKind firmware = FirmwareKind.Bios, BootedDisk? larger = null)
    {
        IDisposable place = await PlaceAsync();
        try
        {
            AcceleratorReport accelerator = await new QemuHypervisor(Paths).ProbeAsync((await Installer).KernelPath, Cancel);
            return await BootedCopy.StartAsync(Paths, accelerator, disk, network, firmware, larger, place, Cancel);
        }
        catch
        {
            place.Dispose();
            throw;
        }
    }

    private static string Required(string variable) => Environment.GetEnvironmentVariable(variable)
        ?? throw new InvalidOperationException($"{variable} is not set; run the tests by ./test");

    private async Task<StoredImage> BuildGoldenAsync()
    {
        using IDisposable place = await PlaceAsync(isLong: true);
        CommandResult result = await RunAsync("build", Example);
        Assert.True(result.ExitCode == 0, $"virtigo build ended with {result.ExitCode}:\n{result.People}");
        return new ImageStore(Paths).Find("web");
    }

    /// <summary>The installer of the appliance, for a machine to run it in: everything of it is in the cache, then.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="fileSystem">What the root is to be, if not what the appliance has.</param>
    internal async Task<InstallerBuild> AssembleAsync(InstallMachine machine, string? fileSystem = null)
    {
        AppliancePlan plan = await PlanAsync();
        DebianDisk disk = fileSystem is null ? plan.Disk.Value : plan.Disk.Value with { FileSystem = fileSystem };
        using var client = new ArchiveClient(new Pool(Paths.Pool), new ArchiveOptions());
        PlanArchives archives = await PlanArchives.OpenAsync(client, plan, Cancel);
        return await new InstallerAssembler(client, Paths)
            .AssembleAsync(archives.Release, plan.Architecture.Value, DefaultComponents.For(disk, machine), Cancel);
    }

    private async Task<string> InstallPlainAsync()
    {
        AppliancePlan plan = await PlanAsync();
        using var client = new ArchiveClient(new Pool(Paths.Pool), new ArchiveOptions());
        PlanArchives archives = await PlanArchives.OpenAsync(client, plan, Cancel);
        string inputs = string.Join('\n', archives.All.Select(suite => suite.ReleaseSha256).Append(PlainInstall.Preseed(plan)));
        string folder = Path.Combine(Paths.Cache, "plain-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(inputs)))[..16]);
        string disk = Path.Combine(folder, "plain.qcow2");
        string complete = Path.Combine(folder, "complete");
        if (!File.Exists(complete))
        {
            using IDisposable place = await PlaceAsync(isLong: true);
            await PlainInstall.RunAsync(Paths, plan, folder, null, Cancel);
            await File.WriteAllTextAsync(complete, "", Cancel);
        }

        return disk;
    }
}

/// <summary>What <c>./test</c> leaves to <c>./test --thorough</c>.</summary>
public static class Tiers
{
    public const string Name = "Tier";

    /// <summary>What takes too long for every change: mostly what installs a system of its own.</summary>
    public const string Thorough = nameof(Thorough);
}

/// <summary>How a run of the command ended.</summary>
public sealed record CommandResult(int ExitCode, string Data, string People);
