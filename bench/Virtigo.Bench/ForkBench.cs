using System.Diagnostics;
using System.Globalization;
using Virtigo.Appliances;
using Virtigo.Environments;

namespace Virtigo.Bench;

/// <summary>A fork of a running environment against booting it: from the call to the first answered command.</summary>
internal static class ForkBench
{
    private const int Runs = 9;

    /// <summary>Measures one machine with little and with much memory, then four machines together.</summary>
    /// <param name="appliance">The appliance's file.</param>
    public static async Task RunAsync(string appliance)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-bench");
        try
        {
            await MeasureAsync("one machine, 512 MiB", Write(folder, appliance, 1, 512));
            await MeasureAsync("one machine, 4096 MiB", Write(folder, appliance, 1, 4096));
            await MeasureAsync("four machines, 512 MiB each", Write(folder, appliance, 4, 512));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Write(DirectoryInfo folder, string appliance, int machines, int memory)
    {
        string file = Path.Combine(folder.FullName, $"bench-{machines}-{memory}.yml");
        File.WriteAllLines(file, ["machines:", .. Enumerable.Range(1, machines).Select(number =>
            string.Create(CultureInfo.InvariantCulture, $"  m{number}: {{appliance: {Path.GetFullPath(appliance)}, memory: {memory}MiB}}"))]);
        return file;
    }

    private static async Task MeasureAsync(string what, string file)
    {
        var boot = new BootTimes();
        using EnvironmentSnapshot ready = await VirtualEnvironment.FromFile(file).PrepareAsync(progress: boot);
        var times = new List<double>();
        for (int run = 0; run <= Runs; run++)
        {
            long start = Stopwatch.GetTimestamp();
            await using VirtualEnvironment fork = await ready.ForkAsync(CancellationToken.None);
            await Task.WhenAll(fork.Machines.Select(machine => machine.RunAsync("true", CancellationToken.None)));
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        // The first one reads the files from the disk.
        double[] warm = [.. times.Skip(1).Order()];
        double fork50 = warm[warm.Length / 2];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{what}: fork to first answer {fork50:0} ms (first {times[0]:0}, best {warm[0]:0}, worst {warm[^1]:0})"));
        if (boot.Boot is { } booted)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{what}: boot to first answer {booted.TotalSeconds:0.0} s; ratio {fork50 / booted.TotalMilliseconds:0.0000}, {booted.TotalMilliseconds / fork50:0} times as fast"));
        }
    }

    /// <summary>How long the boot took; nothing when the environment was prepared before.</summary>
    private sealed class BootTimes : IProgress<BuildEvent>
    {
        private readonly long _start = Stopwatch.GetTimestamp();

        public TimeSpan? Boot { get; private set; }

        public void Report(BuildEvent value)
        {
            if (value is StageProgress { Stage: "boot", Detail: { } detail } && detail.EndsWith("answers", StringComparison.Ordinal))
            {
                Boot = Stopwatch.GetElapsedTime(_start);
            }
            else if (value is StageFinished finished)
            {
                Console.Error.WriteLine($"{finished.Stage}: {finished.Elapsed.TotalSeconds:0.0} s");
            }
        }
    }
}
