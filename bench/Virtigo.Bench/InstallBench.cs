using System.Collections.Concurrent;
using System.Globalization;
using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.GuestTests.Plain;
using Virtigo.Host;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;

namespace Virtigo.Bench;

/// <summary>
/// <c>virtigo build</c> against the plain netboot installer with a preseed file written by hand, for the same machine, with the same
/// QEMU flags, from the same package cache: ours offline. Both run at the same time, each on a core of its own, so that both see the same host.
/// </summary>
internal static class InstallBench
{
    /// <summary>Install stages as both sides name them, with the words of a build's own stage names.</summary>
    private static readonly (string Plain, string Ours)[] Stages =
    [
        ("Components", "components"), ("Disk", "disk"), ("BaseSystem", "base system"), ("Kernel", "kernel"), ("Apt", "package sources"),
        ("Packages", "packages"), ("BootLoader", "boot loader"), ("Finishing", "finishing"),
    ];

    /// <param name="spec">The appliance; the preseed file of the other side is written for <c>examples/web.yml</c>.</param>
    /// <param name="apart">One after the other instead of at the same time, for a host with a single core.</param>
    public static async Task RunAsync(string spec, bool apart)
    {
        HostPaths paths = HostPaths.FromEnvironment();
        AppliancePlan plan = await new AppliancePlanner(HostPlanning.On(paths, new ArchiveOptions()))
            .PlanAsync(await ApplianceSpec.LoadAsync(spec, new SpecOptions(), CancellationToken.None), CancellationToken.None);
        var builder = new ApplianceBuilder(paths, [new QemuHypervisor(paths)]);
        if (new ImageStore(paths).List().Images.All(image => image.Name != plan.Name.Value))
        {
            Console.Error.WriteLine("filling the package cache by a first build, which is not measured");
            await builder.BuildAsync(plan, new BuildOptions(), null, CancellationToken.None);
        }

        var ours = new ConcurrentDictionary<string, TimeSpan>();
        var progress = new Watcher(finished => ours[finished.Stage] = finished.Elapsed);
        using WorkFolder folder = WorkFolder.Create(paths, "bench");
        Func<Task<BuildResult>> build = () => builder.BuildAsync(plan, new BuildOptions { Force = true, Offline = true }, progress, CancellationToken.None);
        Func<Task<PlainResult>> install = () => PlainInstall.RunAsync(paths, plan, folder.Path, Console.Error.WriteLine, CancellationToken.None);
        PlainResult plain;
        if (apart)
        {
            await build();
            plain = await install();
        }
        else
        {
            Task<BuildResult> building = Task.Run(build);
            plain = await Task.Run(install);
            await building;
        }

        Report(plain, ours);
    }

    private static void Report(PlainResult plain, IReadOnlyDictionary<string, TimeSpan> ours)
    {
        Console.WriteLine($"{"stage",-18}{"plain",9}{"virtigo",9}{"ratio",8}");
        TimeSpan total = TimeSpan.Zero;
        foreach ((string theirName, string ourName) in Stages)
        {
            TimeSpan theirs = plain.Stages.GetValueOrDefault(theirName);
            TimeSpan mine = ours.GetValueOrDefault("install: " + ourName);
            total += mine;
            Line(ourName, theirs, mine);
        }

        Line("install", plain.Elapsed, total);
        Console.WriteLine($"lines to write: {PlainLines} in the preseed file, 1 in examples/web.yml");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"ratio {total / plain.Elapsed:0.00}"));
    }

    private static int PlainLines =>
        new StreamReader(typeof(PlainInstall).Assembly.GetManifestResourceStream("plain.preseed")!).ReadToEnd().Split('\n')
            .Count(line => line.Length > 0 && line[0] != '#');

    private static void Line(string name, TimeSpan plain, TimeSpan ours) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{name,-18}{plain.TotalSeconds,7:0} s{ours.TotalSeconds,7:0} s{(plain > TimeSpan.Zero ? ours / plain : 0),8:0.00}"));

    private sealed class Watcher(Action<StageFinished> finished) : IProgress<BuildEvent>
    {
        public void Report(BuildEvent value)
        {
            if (value is StageFinished stage)
            {
                Console.Error.WriteLine($"virtigo: {stage.Stage} took {stage.Elapsed.TotalSeconds:0} s");
                finished(stage);
            }
        }
    }
}
