using System.Globalization;

namespace Virtigo.Host;

/// <summary>How much memory guests may have together, and how much is free for them now.</summary>
internal static class HostMemory
{
    private const string Limit = "/sys/fs/cgroup/memory.max";
    private const string Used = "/sys/fs/cgroup/memory.current";
    private const string Statistics = "/sys/fs/cgroup/memory.stat";
    private static readonly long s_pageKiB = Environment.SystemPageSize >> 10;

    /// <summary>Nine tenths of the host's memory, or of the container's when that is less, in MiB.</summary>
    public static long ForGuestsMiB() => TotalMiB() * 9 / 10;

    /// <summary>
    /// What programs can still have before the host, or the container, runs short, in MiB: the kernel's own estimate, less a twentieth of
    /// all memory so that the host stays usable.
    /// </summary>
    public static long AvailableMiB()
    {
        long available = Field("/proc/meminfo", "MemAvailable:") >> 10;
        if (LimitMiB() is { } limit && NumberIn(Used) is { } used)
        {
            // Files that were read count as used until something else needs the room.
            available = Math.Min(available, limit - ((used - Field(Statistics, "inactive_file ")) >> 20));
        }

        return available - (TotalMiB() / 20);
    }

    /// <summary>The memory that the children of a process have for themselves, in MiB: what they share with others or could read again is not in it.</summary>
    /// <param name="process">The process; one that has ended has no children.</param>
    public static long OfChildrenMiB(int process)
    {
        long pages = 0;
        try
        {
            foreach (string task in Directory.EnumerateDirectories(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/task")))
            {
                pages += File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries).Sum(OwnPages);
            }
        }
        catch (IOException)
        {
            // It ended meanwhile; its memory is free.
        }

        return (pages * s_pageKiB) >> 10;
    }

    private static long OwnPages(string process)
    {
        try
        {
            string[] fields = File.ReadAllText($"/proc/{process}/statm").Split(' ');
            return long.Parse(fields[1], CultureInfo.InvariantCulture) - long.Parse(fields[2], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static long TotalMiB() => Math.Min(Field("/proc/meminfo", "MemTotal:") >> 10, LimitMiB() ?? long.MaxValue);

    private static long? LimitMiB() => NumberIn(Limit) >> 20;

    private static long? NumberIn(string file) =>
        File.Exists(file) && long.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;

    private static long Field(string file, string name)
    {
        string line = File.ReadLines(file).First(line => line.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
