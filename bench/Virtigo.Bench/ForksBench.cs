using System.Diagnostics;
using System.Globalization;
using Virtigo.Environments;
using Virtigo.Host;
using Virtigo.Machines;

namespace Virtigo.Bench;

/// <summary>Many forks one after another and many at once: what is left of the host's memory, descriptors and disk afterwards.</summary>
internal static class ForksBench
{
    private const int InARow = 200;
    private const int AtOnce = 16;
    private const int WarmUp = 20;

    /// <summary>Measures.</summary>
    /// <param name="appliance">The appliance's file.</param>
    public static async Task RunAsync(string appliance)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-bench");
        try
        {
            string file = Path.Combine(folder.FullName, "one.yml");
            await File.WriteAllTextAsync(file, $"machines:\n  m: {{appliance: {Path.GetFullPath(appliance)}, memory: 512MiB}}\n");
            using EnvironmentSnapshot ready = await VirtualEnvironment.FromFile(file).PrepareAsync();

            // The first forks fill caches that stay.
            for (int run = 0; run < WarmUp; run++)
            {
                await ForkAsync(ready);
            }

            Left before = Left.Now();
            Console.WriteLine($"before: {before}");

            long start = Stopwatch.GetTimestamp();
            for (int run = 0; run < InARow; run++)
            {
                await ForkAsync(ready);
            }

            double each = Stopwatch.GetElapsedTime(start).TotalMilliseconds / InARow;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"after {InARow} forks in a row ({each:0} ms each, with command and destruction): {Left.Now()}"));

            start = Stopwatch.GetTimestamp();
            VirtualEnvironment[] forks = await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => ready.ForkAsync(CancellationToken.None)));
            await Task.WhenAll(forks.Select(fork => fork["m"].RunAsync("true", CancellationToken.None)));
            double all = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            long shared = forks.Sum(fork => ProportionalMiB(fork["m"]));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{AtOnce} forks at once: all answered after {all:0} ms; {shared / AtOnce} MiB of the host's memory each, of machines with 512 MiB"));
            await Task.WhenAll(forks.Select(fork => fork.DisposeAsync().AsTask()));
            Console.WriteLine($"after {AtOnce} forks at once: {Left.Now()}");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task ForkAsync(EnvironmentSnapshot ready)
    {
        await using VirtualEnvironment fork = await ready.ForkAsync(CancellationToken.None);
        await fork["m"].RunAsync("true", CancellationToken.None);
    }

    private static long ProportionalMiB(Machine machine) =>
        File.ReadLines($"/proc/{machine.Guest.ProcessId}/smaps_rollup").Where(line => line.StartsWith("Pss:", StringComparison.Ordinal))
            .Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)) >> 10;

    /// <summary>What is in use at a moment.</summary>
    private sealed record Left(long AvailableMiB, int Descriptors, int Children, int Files)
    {
        public static Left Now()
        {
            GC.Collect();
            HostPaths paths = HostPaths.FromEnvironment();
            long available = long.Parse(File.ReadLines("/proc/meminfo").First(line => line.StartsWith("MemAvailable:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) >> 10;
            int children = Directory.EnumerateDirectories($"/proc/{Environment.ProcessId}/task")
                .Sum(task => File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries).Length);
            return new Left(available, Directory.EnumerateFileSystemEntries("/proc/self/fd").Count(), children,
                ((string[])[paths.Work, paths.Runtime, paths.Budget]).Where(Directory.Exists).Sum(folder => Directory.EnumerateFileSystemEntries(folder).Count()));
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture,
            $"{AvailableMiB} MiB of the host's memory available, {Descriptors} descriptors, {Children} child processes, {Files} files");
    }
}
