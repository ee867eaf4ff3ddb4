using System.Globalization;

namespace Virtigo.Environments;

/// <summary>How much memory guests may have together.</summary>
internal static class HostMemory
{
    private const string CgroupLimit = "/sys/fs/cgroup/memory.max";

    /// <summary>Nine tenths of the host's memory, or of the container's when that is less, in MiB.</summary>
    public static long ForGuestsMiB()
    {
        long total = ReadTotalKiB("/proc/meminfo") >> 10;
        return Math.Min(total, ReadLimitMiB(CgroupLimit) ?? long.MaxValue) * 9 / 10;
    }

    private static long ReadTotalKiB(string file)
    {
        string line = File.ReadLines(file).First(line => line.StartsWith("MemTotal:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    private static long? ReadLimitMiB(string file) =>
        File.Exists(file) && long.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long bytes) ? bytes >> 20 : null;
}
