using System.Diagnostics;
using System.Globalization;

namespace Virtigo.Bench;

/// <summary>
/// Appliances of one release and disk: one with nothing else in common with the first goes on from where that one's installer was saved, and
/// one that builds on the first is a layer on it.
/// </summary>
internal static class SecondBench
{
    private const string First = "packages: [nginx]\n";

    private const string Second = """
        hostname: desk
        timezone: Europe/Berlin
        packages: [curl]
        user: {name: alice, password: correct horse}

        """;

    private const string Layer = "from: bench-first.yml\npackages: [bc]\n";
    private const string OtherLayer = "from: bench-first.yml\npackages: [dc]\n";

    /// <summary>Builds the first, the second from its saved installer, a layer where another has been before, and the second from the beginning.</summary>
    /// <param name="command">The command.</param>
    public static async Task RunAsync(string command)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-bench");
        try
        {
            string Spec(string name, string text)
            {
                string path = Path.Combine(folder.FullName, $"bench-{name}.yml");
                File.WriteAllText(path, text);
                return path;
            }

            string second = Spec("second", Second);
            await BuildAsync(command, Spec("first", First), "--force");
            double saved = await BuildAsync(command, second, "--force");
            await BuildAsync(command, Spec("layer", Layer), "--force");
            double layer = await BuildAsync(command, Spec("other-layer", OtherLayer), "--force");
            double full = await BuildAsync(command, second, "--full");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"from the beginning {full:0} s, boot test included, as in all of them"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"from the saved installer {saved:0} s; ratio {saved / full:0.00}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"as a layer {layer:0} s; ratio {layer / full:0.00}"));
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
