using System.Globalization;
using Virtigo.Environments;
using Virtigo.Host;
using Virtigo.Machines;

namespace Virtigo.Bench;

/// <summary>
/// <c>virtigo bootloader install</c> against what people do as root: a loop device with its partitions, a mount, grub-install, and undoing it all. The
/// recipe runs in a guest, on a sparse disk of 10 GB in a file. The guest is emulated, so our command is measured in the same guest as well.
/// </summary>
internal static class BootLoaderBench
{
    private const int Rounds = 5;
    private const int HostRounds = 11;
    private const string Command = "/opt/virtigo";

    private const string Prepare = """
        set -e
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update && apt-get -qq -y install --no-install-recommends qemu-utils fdisk grub-pc-bin grub-common >/dev/null
        mkdir -p /srv/bench/tree/boot /srv/bench/tree/etc /srv/bench/mnt
        cd /srv/bench
        touch tree/etc/fstab
        cp -L /boot/vmlinuz-* /boot/initrd.img-* tree/boot
        truncate -s 10G disk.img
        printf 'label: dos\nstart=2048, type=83\n' | sfdisk -q disk.img
        mke2fs -q -F -t ext4 -d tree -E offset=1048576 disk.img 9G
        rm -r tree
        sync
        """;

    private const string Recipe = """
        set -e
        loop=$(losetup --find --show --partscan /srv/bench/disk.img)
        mount "${loop}p1" /srv/bench/mnt
        grub-install --target=i386-pc --boot-directory=/srv/bench/mnt/boot "$loop" 2>/dev/null
        umount /srv/bench/mnt
        losetup -d "$loop"
        """;

    private static readonly CommandOptions s_long = new() { Limit = TimeSpan.FromMinutes(30) };

    /// <summary>Measures.</summary>
    /// <param name="appliance">The appliance's file; it has GRUB.</param>
    /// <param name="command">Our command, published.</param>
    /// <param name="disk">A sparse disk of 10 GB like the guest's, on the host.</param>
    public static async Task RunAsync(string appliance, string command, string disk)
    {
        var host = new List<double>();
        for (int round = 0; round <= HostRounds; round++)
        {
            host.Add((await CommandBench.TimeAsync(command, "bootloader", "install", disk)).TotalMilliseconds);
        }

        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-bench-");
        try
        {
            string file = Path.Combine(folder.FullName, "bootloader.yml");
            await File.WriteAllLinesAsync(file, ["egress: [archives]", "machines:", $"  root: {{appliance: {Path.GetFullPath(appliance)}, memory: 1GiB}}"]);
            await using VirtualEnvironment environment = await VirtualEnvironment.FromFile(file).StartAsync();
            Machine machine = environment["root"];
            await machine.CopyInAsync(command, Command, CancellationToken.None);
            Console.Error.WriteLine("the guest has booted; its packages are installed and its disk is made");
            await machine.RunAsync(Prepare, s_long, CancellationToken.None);

            // In turns, and each on what the other left: both write the same whole thing each time.
            var recipe = new List<double>();
            var ours = new List<double>();
            for (int round = 0; round <= Rounds; round++)
            {
                recipe.Add(await TimeAsync(machine, Recipe));
                ours.Add(await TimeAsync(machine, Command + " bootloader install /srv/bench/disk.img >/dev/null 2>&1"));
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}: {recipe[^1]:0} ms, {ours[^1]:0} ms"));
            }

            Tell("virtigo bootloader install, on the host", host);
            Tell("virtigo bootloader install, in the guest", ours);
            Tell("losetup, mount, grub-install, umount, losetup -d, in the guest", recipe);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"ratio {Median(recipe) / Median(ours):0.0} in the same guest; {Median(recipe) / Median(host):0} between the guest's recipe and the host's command"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The milliseconds that a command takes by the guest's own clock.</summary>
    private static async Task<double> TimeAsync(Machine machine, string script)
    {
        string said = await machine.RunAsync("start=$(date +%s%N); bash -c " + ShellQuote.Word(script) + " && echo $(( ($(date +%s%N) - start) / 1000 ))", s_long, CancellationToken.None);
        return double.Parse(said, CultureInfo.InvariantCulture) / 1000;
    }

    // The first of each warms up.
    private static double Median(List<double> times) => times.Skip(1).Order().ElementAt((times.Count - 1) / 2);

    private static void Tell(string what, List<double> times) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{what}: {Median(times):0} ms (median of {times.Count - 1}, {times.Skip(1).Min():0} to {times.Skip(1).Max():0})"));
}
