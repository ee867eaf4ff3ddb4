using Virtigo;
using Virtigo.Bench;

try
{
    switch (args)
    {
        case ["install", var spec, .. var options]:
            await InstallBench.RunAsync(spec, apart: options.Contains("--apart"));
            return 0;
        case ["second", var command]:
            await SecondBench.RunAsync(command);
            return 0;
        case ["rebuild", var command, var spec]:
            await CommandBench.RebuildAsync(command, spec);
            return 0;
        case ["startup", var script, var command, var assembly]:
            await CommandBench.StartUpAsync(script, command, assembly);
            return 0;
        case ["switch"]:
            await SwitchBench.RunAsync();
            return 0;
        case ["guests", var spec]:
            await GuestsBench.RunAsync(spec);
            return 0;
        case ["tests", var command, var spec]:
            await TestsBench.RunAsync(command, spec);
            return 0;
        case ["convert", var image]:
            await ConvertBench.RunAsync(image);
            return 0;
        case ["hypervisors", var image, .. var appliance]:
            await HypervisorsBench.RunAsync(image, appliance.FirstOrDefault());
            return 0;
        case ["bootloader", var spec, var command, var disk]:
            await BootLoaderBench.RunAsync(spec, command, disk);
            return 0;
        case ["forks", var spec]:
            await ForksBench.RunAsync(spec);
            return 0;
        case ["fork", var spec]:
            await ForkBench.RunAsync(spec);
            return 0;
        default:
            Console.Error.WriteLine("This program is run by the scripts in bench/.");
            return 2;
    }
}
catch (VirtigoException failure)
{
    Console.Error.WriteLine($"error: {failure.Message}\nhint: {failure.Hint}\n{failure.ReportDirectory}");
    return (int)failure.Kind;
}
