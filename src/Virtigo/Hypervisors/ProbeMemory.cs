using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Virtigo.Host;

namespace Virtigo.Hypervisors;

/// <summary>What probes of one hypervisor found on this host since it booted.</summary>
/// <param name="paths">Where answers are cached.</param>
/// <param name="hypervisor">The hypervisor's name.</param>
internal sealed class ProbeMemory(HostPaths paths, string hypervisor)
{
    private readonly string _root = Path.Combine(paths.Cache, "accelerator");

    /// <summary>The newest answer, whatever the kernel, or null.</summary>
    public AcceleratorReport? Newest() => !Directory.Exists(Folder) ? null
        : new DirectoryInfo(Folder).EnumerateFiles(hypervisor + "-*.json").OrderByDescending(file => file.LastWriteTimeUtc)
            .Select(file => Parse(file.FullName)).FirstOrDefault(report => report is not null);

    /// <summary>The key of what an answer depends on.</summary>
    public static string KeyOf(params IEnumerable<string> what) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', what))));

    /// <summary>The answer of an earlier probe of the same, or else that of a probe made now; only one is made at a time.</summary>
    /// <param name="key">A hash of what the answer depends on.</param>
    /// <param name="probe">Makes it.</param>
    /// <param name="cancellationToken">Ends the wait and the probe.</param>
    public async Task<AcceleratorReport> RecallAsync(string key, Func<CancellationToken, Task<AcceleratorReport>> probe, CancellationToken cancellationToken)
    {
        string answer = Path.Combine(Folder, $"{hypervisor}-{key}.json");
        if (Parse(answer) is { } known)
        {
            return known;
        }

        using FileLock onlyOne = await FileLock.AcquireAsync(Path.Combine(_root, hypervisor + ".lock"), null, cancellationToken);
        if (Parse(answer) is { } meanwhile)
        {
            return meanwhile;
        }

        AcceleratorReport report = await probe(cancellationToken);
        ForgetEarlierBoots();
        string json = JsonSerializer.Serialize(AcceleratorRecord.From(report), AcceleratorJson.Default.AcceleratorRecord);
        await AtomicFile.WriteTextAsync(answer, json, cancellationToken);
        return report;
    }

    private string Folder => Path.Combine(_root, File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim());

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

    private void ForgetEarlierBoots()
    {
        string now = Path.GetFileName(Folder);
        foreach (string folder in Directory.EnumerateDirectories(_root).Where(folder => Path.GetFileName(folder) != now))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

/// <summary>The cached form of a report.</summary>
internal sealed record AcceleratorRecord(Accelerator Accelerator, string? Reason, string? Hint, double ProbeSeconds)
{
    /// <summary>The record of a report.</summary>
    public static AcceleratorRecord From(AcceleratorReport report) =>
        new(report.Accelerator, report.Reason, report.Hint, report.Speed.ProbeTime.TotalSeconds);

    /// <summary>The report, or null when the record makes no sense.</summary>
    public AcceleratorReport? ToReport() => ProbeSeconds is > 0 and < 86400 && Accelerator != Accelerator.Auto && Enum.IsDefined(Accelerator)
        ? new AcceleratorReport(Accelerator, Reason, Hint, new HostSpeed(TimeSpan.FromSeconds(ProbeSeconds)), FromCache: true)
        : null;
}

[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
[JsonSerializable(typeof(AcceleratorRecord))]
internal sealed partial class AcceleratorJson : JsonSerializerContext;
