using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>
/// Finds out by running a guest whether KVM works, and how fast guests are. That /dev/kvm exists proves nothing:
/// only a guest whose kernel printed its messages does.
/// </summary>
internal static class AcceleratorProbe
{
    /// <summary>Probes, or gives the answer of an earlier probe with the same kernel and QEMU since the host booted.</summary>
    /// <param name="kernelPath">A Linux kernel for this kind of processor.</param>
    /// <param name="paths">Where the answer is cached.</param>
    /// <param name="cancellationToken">Ends the probe and its guest.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when no guest runs at all.</exception>
    public static async Task<AcceleratorReport> ProbeAsync(string kernelPath, HostPaths paths, CancellationToken cancellationToken)
    {
        KvmDevice device = KvmDevice.Look("/dev/kvm");
        string boot = (await File.ReadAllTextAsync("/proc/sys/kernel/random/boot_id", cancellationToken)).Trim();
        string root = Path.Combine(paths.Cache, "accelerator");
        string answer = Path.Combine(root, boot, await KeyAsync(kernelPath, device, cancellationToken) + ".json");
        if (Parse(answer) is { } known)
        {
            return known;
        }

        using FileLock onlyOne = await FileLock.AcquireAsync(Path.Combine(root, "lock"), null, cancellationToken);
        if (Parse(answer) is { } meanwhile)
        {
            return meanwhile;
        }

        AcceleratorReport report = await RunAsync(kernelPath, device, paths, cancellationToken);
        ForgetEarlierBoots(root, boot);
        string json = JsonSerializer.Serialize(AcceleratorRecord.From(report), AcceleratorJson.Default.AcceleratorRecord);
        await AtomicFile.WriteTextAsync(answer, json, cancellationToken);
        return report;
    }

    /// <summary>The newest answer since the host booted, whatever the kernel, or null.</summary>
    /// <param name="paths">Where answers are cached.</param>
    public static AcceleratorReport? Remembered(HostPaths paths)
    {
        string folder = Path.Combine(paths.Cache, "accelerator", File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim());
        return !Directory.Exists(folder) ? null
            : new DirectoryInfo(folder).EnumerateFiles("*.json").OrderByDescending(file => file.LastWriteTimeUtc)
                .Select(file => Parse(file.FullName)).FirstOrDefault(report => report is not null);
    }

    private static AcceleratorReport? Parse(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            return JsonSerializer.Deserialize(file, AcceleratorJson.Default.AcceleratorRecord)?.ToReport();
        }
        catch (Exception error) when (error is IOException or JsonException)
        {
            return null;
        }
    }

    private static async Task<AcceleratorReport> RunAsync(string kernelPath, KvmDevice device, HostPaths paths, CancellationToken cancellationToken)
    {
        string? reason = device.Reason;
        if (reason is null)
        {
            ProbeResult kvm = await ProbeGuest.RunAsync(kernelPath, Accelerator.Kvm, paths, cancellationToken);
            if (kvm.Time is { } fast)
            {
                return new AcceleratorReport(Accelerator.Kvm, null, null, new HostSpeed(fast), FromCache: false);
            }

            reason = "/dev/kvm exists, but the probe guest on it " + kvm.Failure;
        }

        ProbeResult tcg = await ProbeGuest.RunAsync(kernelPath, Accelerator.Tcg, paths, cancellationToken);
        return tcg.Time is { } slow
            ? new AcceleratorReport(Accelerator.Tcg, reason, device.Hint, new HostSpeed(slow), FromCache: false)
            : throw new VirtigoException(FailureKind.Host,
                $"No guest runs on this host: no KVM ({reason}), and the emulated probe guest with the kernel {kernelPath} {tcg.Failure}.",
                "Rerun: " + tcg.Command);
    }

    private static async Task<string> KeyAsync(string kernelPath, KvmDevice device, CancellationToken cancellationToken)
    {
        string version = await Tool.RunAsync(QemuCommandLine.Program, ["--version"], cancellationToken);
        await using FileStream kernel = File.OpenRead(kernelPath);
        string hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(kernel, cancellationToken));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{version}\n{hash}\n{device.Reason}")));
    }

    private static void ForgetEarlierBoots(string root, string boot)
    {
        foreach (string folder in Directory.EnumerateDirectories(root).Where(folder => Path.GetFileName(folder) != boot))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

/// <summary>The cached form of a report.</summary>
internal sealed record AcceleratorRecord(bool Kvm, string? Reason, string? Hint, double ProbeSeconds)
{
    /// <summary>The record of a report.</summary>
    public static AcceleratorRecord From(AcceleratorReport report) =>
        new(report.Accelerator == Accelerator.Kvm, report.Reason, report.Hint, report.Speed.ProbeTime.TotalSeconds);

    /// <summary>The report, or null when the record makes no sense.</summary>
    public AcceleratorReport? ToReport() => ProbeSeconds is > 0 and < 86400
        ? new AcceleratorReport(Kvm ? Accelerator.Kvm : Accelerator.Tcg, Reason, Hint, new HostSpeed(TimeSpan.FromSeconds(ProbeSeconds)), FromCache: true)
        : null;
}

[JsonSerializable(typeof(AcceleratorRecord))]
internal sealed partial class AcceleratorJson : JsonSerializerContext;
