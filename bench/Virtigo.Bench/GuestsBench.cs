using System.Diagnostics;
using System.Globalization;
using Virtigo.Environments;
using Virtigo.Machines;

namespace Virtigo.Bench;

/// <summary>
/// What one guest gets from another: through our switch, through vde_switch, and over a socket of QEMU's with nothing in between. Both guests have
/// a card on each, so that one pair of machines is measured in turns. Only the ends of the cards' wires differ: a stand-in for QEMU's program, found
/// before it, exchanges them.
/// </summary>
internal static class GuestsBench
{
    private const int Rounds = 5;
    private const int MiB = 24;
    private static readonly string[] s_wires = ["virtigo", "vde_switch", "direct"];

    private const string Exchange = """
        #!/bin/bash
        for argument; do [[ $argument == guest=* ]] && name=${argument#guest=} name=${name%%,*}; done
        [[ $name == server ]] && peer=client || peer=server
        arguments=()
        for argument; do
            case $argument in
                stream,id=net1,*) argument=vde,id=net1,sock=$BENCH_WIRES/vde ;;
                stream,id=net2,*)
                    rm -f "$BENCH_WIRES/$name"
                    argument=dgram,id=net2,local.type=unix,local.path=$BENCH_WIRES/$name,remote.type=unix,remote.path=$BENCH_WIRES/$peer
                    ;;
            esac
            arguments+=("$argument")
        done
        exec "$BENCH_QEMU" "${arguments[@]}"
        """;

    /// <summary>Measures.</summary>
    /// <param name="appliance">The appliance's file; it has nginx and curl.</param>
    public static async Task RunAsync(string appliance)
    {
        string wires = Directory.CreateTempSubdirectory("vsb-").FullName;
        try
        {
            await StandInAsync(wires);
            using Process other = SwitchBench.StartVde(Path.Combine(wires, "vde"));
            try
            {
                await MeasureAsync(wires, appliance);
            }
            finally
            {
                other.Kill();
                await other.WaitForExitAsync();
            }
        }
        finally
        {
            Directory.Delete(wires, recursive: true);
        }
    }

    private static async Task StandInAsync(string wires)
    {
        const string program = "qemu-system-x86_64";
        string path = Environment.GetEnvironmentVariable("PATH")!;
        string standIn = Path.Combine(Directory.CreateDirectory(Path.Combine(wires, "bin")).FullName, program);
        await File.WriteAllTextAsync(standIn, Exchange);
        File.SetUnixFileMode(standIn, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Environment.SetEnvironmentVariable("BENCH_WIRES", wires);
        Environment.SetEnvironmentVariable("BENCH_QEMU", path.Split(':').Select(folder => Path.Combine(folder, program)).First(File.Exists));
        Environment.SetEnvironmentVariable("PATH", $"{Path.GetDirectoryName(standIn)}:{path}");
    }

    private static async Task MeasureAsync(string wires, string appliance)
    {
        string file = Path.Combine(wires, "guests.yml");
        string machine = $"{{appliance: {Path.GetFullPath(appliance)}, memory: 512MiB, networks: [ours, theirs, direct]}}";
        await File.WriteAllLinesAsync(file,
            ["networks: {ours: {}, theirs: {}, direct: {}}", "machines:", "  server: " + machine, "  client: " + machine]);
        await using VirtualEnvironment pair = await VirtualEnvironment.FromFile(file).StartAsync();
        Machine server = pair["server"], client = pair["client"];
        await server.RunAsync($"head -c {MiB}M /dev/zero > /dev/shm/big && ln -s /dev/shm/big /var/www/html/big", CancellationToken.None);
        var rates = s_wires.ToDictionary(wire => wire, _ => new List<double>());
        for (int round = 0; round < Rounds; round++)
        {
            foreach ((int network, string wire) in s_wires.Index())
            {
                string address = string.Create(CultureInfo.InvariantCulture, $"10.90.{network}.11");
                string said = await client.RunAsync($"curl -sf --max-time 300 -o /dev/null -w '%{{speed_download}}' http://{address}/big", CancellationToken.None);
                rates[wire].Add(double.Parse(said, CultureInfo.InvariantCulture) / 1e6);
            }
        }

        double Median(string wire) => rates[wire].Order().ElementAt(Rounds / 2);
        foreach (string wire in s_wires)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{wire,-10}  {Median(wire),6:0.0} MB/s from guest to guest (best {rates[wire].Max():0.0}, worst {rates[wire].Min():0.0}, {MiB} MiB by HTTP)"));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"ratio to vde_switch {Median("virtigo") / Median("vde_switch"):0.00}, to direct {Median("virtigo") / Median("direct"):0.00}"));
    }
}
