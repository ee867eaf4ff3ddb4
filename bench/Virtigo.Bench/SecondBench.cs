using System.Diagnostics;
using System.Globalization;

namespace Virtigo.Bench;

/// <summary>Two appliances of one release and disk, with nothing else in common: the second goes on from where the first one's installer was saved.</summary>
internal static class SecondBench
{
    private const string First = "packages: [nginx]\n";

    private const string Second = """
        hostname: desk
        timezone: Europe/Berlin
        packages: [curl]
        user: {name: alice, password: correct horse}

        """;

    /// <summary>Builds the first, the second from its saved installer, and the second from the beginning.</summary>
    /// <param name="command">The command.</param>
    public static async Task RunAsync(string command)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-bench");
        try
        {
            string first = Path.Combine(folder.FullName, "bench-first.yml"), second = Path.Combine(folder.FullName, "bench-second.yml");
            await File.WriteAllTextAsync(first, First);
            await File.WriteAllTextAsync(second, Second);
            await BuildAsync(command, first, "--force");
            double saved = await BuildAsync(command, second, "--force");
            double full = await BuildAsync(command, second, "--full");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"from the saved installer {saved:0} s, from the beginning {full:0} s; ratio {saved / full:0.00}, boot test included in both"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<double> BuildAsync(string command, string spec, string how)
    {
        long start = Stopwatch.GetTimestamp();
        using Process build = Process.Start(command, ["build", spec, how]);
        await build.WaitForExitAsync();
        return build.ExitCode == 0 ? Stopwatch.GetElapsedTime(start).TotalSeconds
            : throw new VirtigoException(FailureKind.Install, $"virtigo build {spec} {how} ended with {build.ExitCode}.");
    }
}
