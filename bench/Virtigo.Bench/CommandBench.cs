using System.Diagnostics;
using System.Globalization;
using Virtigo.Host;
using Virtigo.Images;

namespace Virtigo.Bench;

/// <summary>How long the command itself takes.</summary>
internal static class CommandBench
{
    private const int Runs = 21;

    /// <summary>A build that is in the store, against the install that put it there.</summary>
    public static async Task RebuildAsync(string command, string spec)
    {
        await TimeAsync(command, "build", spec);
        double cached = await MedianAsync(command, "build", spec);
        string name = Path.GetFileNameWithoutExtension(spec);
        double built = new ImageStore(HostPaths.FromEnvironment()).Find(name).Manifest.Timings.Sum(timing => timing.Seconds) * 1000;
        Print("first build", built, "cached build", cached);
    }

    /// <summary>The published command against the same program on the shared runtime, and through the checkout's script.</summary>
    public static async Task StartUpAsync(string script, string command, string assembly)
    {
        double runtime = await MedianAsync("dotnet", assembly, "--version");
        double published = await MedianAsync(command, "--version");
        double through = await MedianAsync(script, "--version");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"./virtigo adds {through - published:0.0} ms to the command"));
        Print("on the shared runtime", runtime, "published", published);
    }

    private static void Print(string before, double slow, string after, double fast)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{before}: {slow:0.0} ms, {after}: {fast:0.0} ms"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"ratio {fast / slow:0.0000}"));
    }

    private static async Task<double> MedianAsync(string program, params string[] arguments)
    {
        var times = new List<double>();
        for (int run = 0; run < Runs; run++)
        {
            times.Add((await TimeAsync(program, arguments)).TotalMilliseconds);
        }

        times.Sort();
        return times[Runs / 2];
    }

    /// <summary>How long a program takes; one that fails ends the measuring with what it said.</summary>
    public static async Task<TimeSpan> TimeAsync(string program, params string[] arguments)
    {
        long start = Stopwatch.GetTimestamp();
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        return process.ExitCode == 0 ? elapsed
            : throw new VirtigoException(FailureKind.Internal, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {await errors}{output}");
    }
}
