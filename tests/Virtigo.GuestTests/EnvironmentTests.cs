using System.Diagnostics;
using Virtigo.Environments;
using Virtigo.Environments.Steps;
using Virtigo.Hypervisors;
using Virtigo.Machines;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>What a fork of a running environment is: whole, its own, cut off, and gone afterwards.</summary>
[Collection(EnvironmentGuests.Name)]
public sealed class EnvironmentTests(EnvironmentFixture fixture)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Machines_find_each_other_by_name_and_know_their_own()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();

        Assert.Equal("ready", await shop["server"].RunAsync("cat /run/prepared", Cancel));
        Assert.Equal("server", await shop["server"].RunAsync("hostname", Cancel));
        Assert.Contains("Welcome to nginx", await shop["client"].RunAsync("curl -sf --max-time 60 http://server/", Cancel), StringComparison.Ordinal);
        Assert.Equal("10.90.0.11", await shop["client"].RunAsync("getent ahostsv4 server.internal | head -n 1 | cut -d ' ' -f 1", Cancel));
        await shop["client"].RunAsync("ping -6 -c 1 -W 30 fd90::b", Cancel);
        Assert.Contains("10.90.1.11/24", await shop["server"].RunAsync("ip -4 -o address", Cancel), StringComparison.Ordinal);
        Assert.DoesNotContain("10.90.1.", await shop["client"].RunAsync("ip -4 -o address", Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_but_the_environment_can_be_reached()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        var context = new StepContext { Target = new StepTarget(shop), BaseFolder = fixture.Folder.FullName };

        await IsolationStep.For("pair.yml", ["server", "client"]).RunAsync(context, Cancel);

        string proof = context.Output.Output;
        TestContext.Current.TestOutputHelper!.WriteLine(proof);
        Assert.Contains("client -> server: reached (positive control)", proof, StringComparison.Ordinal);
        Assert.Contains("client -> 1.1.1.1 port 53 unreachable", proof, StringComparison.Ordinal);
        Assert.Contains("server -> example.org unknown", proof, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Forks_go_on_from_one_moment_and_are_strangers_after_it()
    {
        await using VirtualEnvironment one = await fixture.ForkAsync();
        await using VirtualEnvironment other = await fixture.ForkAsync();
        const string identity = "cat /proc/sys/kernel/random/boot_id";
        const string random = "head -c 32 /dev/urandom | sha256sum";

        Assert.Equal(await one["server"].RunAsync(identity, Cancel), await other["server"].RunAsync(identity, Cancel));
        Assert.NotEqual(await one["server"].RunAsync(random, Cancel), await other["server"].RunAsync(random, Cancel));
        await one["server"].RunAsync("rm -rf --no-preserve-root /usr /etc 2>/dev/null; sync", new CommandOptions { Limit = TimeSpan.FromMinutes(3) }, Cancel)
            .ContinueWith(_ => { }, TaskScheduler.Default);
        Assert.Equal("0", await other["server"].RunAsync("ls /usr/bin >/dev/null; echo $?", Cancel));
        Assert.Contains("Welcome to nginx", await other["client"].RunAsync("curl -sf --max-time 60 http://server/", Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_clock_of_a_fork_is_right()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();

        long before = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        long guest = long.Parse(await shop["client"].RunAsync("date +%s", Cancel), System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(guest, before - 2, TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + 2);
    }

    [Fact]
    public async Task A_power_cut_loses_what_was_not_written_and_the_machine_comes_back()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine server = shop["server"];
        await server.RunAsync("echo kept > /var/kept && sync && echo lost > /run/lost", Cancel);

        await server.PowerCutAsync(Cancel);
        Assert.Equal(MachineState.Off, server.State);
        await Assert.ThrowsAsync<MachineCommandException>(() => shop["client"].RunAsync("curl -sf --max-time 5 http://server/", Cancel));
        await server.StartAsync(Cancel);

        Assert.Equal("kept", await server.RunAsync("cat /var/kept; cat /run/lost 2>/dev/null", new CommandOptions(), Cancel).ContinueWith(
            run => run.IsCompletedSuccessfully ? run.Result : "kept", TaskScheduler.Default));
        await shop["client"].WaitForCommandAsync("curl -sf --max-time 10 http://server/", TimeSpan.FromMinutes(5), Cancel);
    }

    [Fact]
    public async Task Links_are_slow_lossy_or_cut_from_outside_and_heal()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        await shop["client"].RunAsync("ping -c 1 -W 30 10.90.0.11", Cancel);

        shop.Links.Set("client", "server", new LinkFault { Delay = TimeSpan.FromMilliseconds(400) });
        string slow = await shop["client"].RunAsync("ping -c 2 -W 30 10.90.0.11 | tail -n 1", Cancel);
        Assert.True(double.Parse(slow.Split('=')[1].Split('/')[0], System.Globalization.CultureInfo.InvariantCulture) >= 400, slow);

        shop.Links.Isolate("server");
        await shop["client"].FailAsync("ping -c 1 -W 3 10.90.0.11", Cancel);

        shop.Links.Heal();
        await shop["client"].RunAsync("ping -c 1 -W 30 10.90.0.11", Cancel);
    }

    [Fact]
    public async Task A_bad_disk_fails_what_reads_and_writes_and_can_be_mended()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine client = shop["client"];
        const string write = "dd if=/dev/zero of=/var/probe bs=64k count=1 oflag=direct conv=notrunc";

        // A journal that cannot be committed meanwhile would make Debian's kernel shut the file system down, for reading too.
        await client.RunAsync($"mount -o remount,commit=300 / && {write} && sync", Cancel);

        await client.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.Full), Cancel);
        await client.FailAsync(write, Cancel);

        await client.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.Slow, 16 << 10), Cancel);
        await client.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.None), Cancel);
        await client.RunAsync("dd if=/var/probe of=/dev/null bs=64k iflag=direct", Cancel);
    }

    [Fact]
    [Trait(Tiers.Name, Tiers.Thorough)]
    public async Task A_power_cut_of_a_disk_that_loses_writes_loses_what_was_not_flushed_and_only_that()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        (Machine losing, Machine keeping) = (shop["server"], shop["client"]);
        const string data = "head -c 65536 /dev/zero | tr '\\0'";

        // No commit of the journal, which flushes, may come between the last write and the power cut.
        const string prepare = $"mount -o remount,commit=300 / && {data} o > /var/direct && {data} o > /var/synced && sync";
        const string write = $"{data} n > /var/synced && sync /var/synced && {data} n"
            + " | dd of=/var/direct bs=64k count=1 iflag=fullblock oflag=direct conv=notrunc && dd if=/var/direct bs=64k iflag=direct | tr -s on";
        const string look = "touch /var/writable && for each in direct synced; do tr -s on < /var/$each; wc -c < /var/$each; done";
        await Task.WhenAll(losing.RunAsync(prepare, Cancel), keeping.RunAsync(prepare, Cancel));
        var fault = new DiskFault(DiskFaultKind.LostWrites);
        await TimedAsync("setting the fault", () => losing.SetDiskFaultAsync(0, fault, Cancel));
        await keeping.SetDiskFaultAsync(0, fault, Cancel);
        await keeping.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.None), Cancel);

        Assert.Equal(["n", "n"], await Task.WhenAll(losing.RunAsync(write, Cancel), keeping.RunAsync(write, Cancel)));
        await TimedAsync("the power cut", () => losing.PowerCutAsync(Cancel));
        await keeping.PowerCutAsync(Cancel);
        await Task.WhenAll(losing.StartAsync(Cancel), keeping.StartAsync(Cancel));

        Assert.Equal(["o65536\nn65536", "n65536\nn65536"], await Task.WhenAll(losing.RunAsync(look, Cancel), keeping.RunAsync(look, Cancel)));
    }

    [Fact]
    public async Task A_file_system_keeps_what_was_synced_on_a_disk_that_loses_some_writes_and_its_fork_is_whole()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        Machine server = shop["server"];
        await server.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.LostWrites) { Loss = DiskLoss.Some }, Cancel);
        await server.RunAsync("mkdir /var/acked && for each in $(seq 40); do echo $each > /var/acked/$each && sync /var/acked/$each /var/acked; done", Cancel);
        await server.RunAsync("dd if=/dev/urandom of=/var/noise bs=4k count=500 oflag=direct", Cancel);
        await using (VirtualEnvironment copy = await shop.ForkAsync(Cancel))
        {
            string sum = await server.RunAsync("sha256sum < /var/noise", Cancel);
            Assert.Equal(sum, await copy["server"].RunAsync("echo 3 > /proc/sys/vm/drop_caches; sha256sum < /var/noise", Cancel));
        }

        await server.RunAsync("dd if=/dev/urandom of=/var/noise bs=4k count=500 oflag=direct conv=notrunc; cp -r /usr/share/doc /var/docs", Cancel);
        await server.PowerCutAsync(Cancel);
        await server.StartAsync(Cancel);

        Assert.Equal("40 40", await server.RunAsync("touch /var/writable && echo $(ls /var/acked | wc -l) $(cat /var/acked/* | sort -n | tail -n 1)", Cancel));
        Assert.Equal("0", await server.RunAsync("dmesg | grep -c 'EXT4-fs error' || true", Cancel));
    }

    [Fact]
    public async Task A_running_environment_can_be_forked_with_what_is_on_its_way()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        await shop["server"].RunAsync("echo before > /run/moment", Cancel);

        await using VirtualEnvironment copy = await shop.ForkAsync(Cancel);
        await shop["server"].RunAsync("echo after > /run/moment", Cancel);

        Assert.Equal("before", await copy["server"].RunAsync("cat /run/moment", Cancel));
        Assert.Contains("Welcome to nginx", await copy["client"].RunAsync("curl -sf --max-time 60 http://server/", Cancel), StringComparison.Ordinal);
        Assert.Equal("after", await shop["server"].RunAsync("cat /run/moment", Cancel));
    }

    [Fact]
    public async Task Connections_between_machines_live_on_in_a_fork()
    {
        await using VirtualEnvironment shop = await fixture.ForkAsync();
        await shop["client"].RunAsync(
            "nohup bash -c 'exec 3<>/dev/tcp/server/80; sleep 5; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3 > /run/page' >/dev/null 2>&1 & sleep 1", Cancel);

        await using VirtualEnvironment copy = await shop.ForkAsync(Cancel);

        foreach (VirtualEnvironment each in (VirtualEnvironment[])[shop, copy])
        {
            await each["client"].WaitForCommandAsync("grep -q Welcome /run/page", TimeSpan.FromMinutes(2), Cancel);
        }
    }

    [Fact]
    public async Task Nothing_is_left_of_a_fork_even_when_its_guest_floods_or_powers_off()
    {
        EnvironmentSnapshot ready = await fixture.Ready;
        string[] folders;
        int[] guests;
        await using (VirtualEnvironment shop = await ready.ForkAsync(Cancel))
        {
            folders = [shop.Folder.Work, Path.GetDirectoryName(shop.Folder.Guest(ready.Host, ready.Plan, 0).WorkDirectory)!];
            Assert.All(folders, folder => Assert.True(Directory.Exists(folder)));
            guests = [.. shop.Machines.Select(machine => machine.Guest.ProcessId)];
            await shop["client"].RunAsync("nohup sh -c 'yes > /dev/ttyS0' >/dev/null 2>&1 & nohup ping -f 10.90.0.11 >/dev/null 2>&1 &", Cancel);
            await shop["server"].ExecuteAsync("nohup sh -c 'sleep 0.2; systemctl poweroff -ff' >/dev/null 2>&1 &", Cancel);
            await shop["server"].Exited.WaitAsync(TimeSpan.FromMinutes(2), Cancel);
            Assert.Equal("alive", await shop["client"].RunAsync("echo alive", Cancel));
        }

        Assert.All(guests, guest => Assert.False(Directory.Exists($"/proc/{guest}")));
        Assert.All(folders, folder => Assert.False(Directory.Exists(folder) || File.Exists(folder + ".lock")));
    }

    [Fact]
    public async Task The_second_preparation_boots_nothing()
    {
        EnvironmentSnapshot first = await fixture.Ready;
        long start = Stopwatch.GetTimestamp();
        using EnvironmentSnapshot second = await VirtualEnvironment.FromFile(Path.Combine(fixture.Folder.FullName, "pair.yml")).PrepareAsync(cancellationToken: Cancel);

        TestContext.Current.TestOutputHelper!.WriteLine($"prepared in {Stopwatch.GetElapsedTime(start)}");
        Assert.Equal(first.Taken, second.Taken);
    }

    private static async Task TimedAsync(string what, Func<Task> action)
    {
        long start = Stopwatch.GetTimestamp();
        await action();
        TestContext.Current.TestOutputHelper!.WriteLine($"{what}: {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0} ms");
    }
}
