using System.Diagnostics;
using System.Globalization;
using Virtigo.Environments;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>Several environments at once, some of them treated as badly as guests can: the quiet one does not notice, and nothing of any is left.</summary>
[Collection(EnvironmentGuests.Name)]
public sealed class StressTests(Lab lab, EnvironmentFixture fixture)
{
    private const long MiB = 1 << 20;
    private const long HeapRoom = 256 * MiB;
    private const int DescriptorRoom = 30;
    private const long ConsoleLogLimit = 18 * MiB;
    private static readonly TimeSpan s_abuse = TimeSpan.FromSeconds(25);
    private readonly List<string> _folders = [];
    private readonly List<int> _guests = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Environments_that_are_mistreated_leave_the_others_alone_and_nothing_behind()
    {
        EnvironmentSnapshot ready = await fixture.Ready;
        Assert.SkipWhen(ready.ForksThatFit < 2, "This host has no memory for two environments at once.");
        using IDisposable places = await lab.AllPlacesAsync();
        long heap = GC.GetTotalMemory(forceFullCollection: true);
        string[] open = OpenFiles();
        long most;
        await using (VirtualEnvironment quiet = await ForkAsync(ready))
        {
            using var over = new CancellationTokenSource();
            Task<(int Answers, long Heap)> watching = WatchAsync(quiet, over.Token);
            Task abuse = Task.WhenAll(FloodAsync(ready), BabbleAsync(ready), EndAsync(ready));
            await Task.WhenAny(abuse, watching);
            await over.CancelAsync();
            await abuse;
            (int answers, most) = await watching;
            Assert.True(answers >= 5, string.Create(CultureInfo.InvariantCulture, $"The quiet environment answered {answers} times only."));
        }

        Assert.InRange(most - heap, long.MinValue, HeapRoom);
        Assert.Equal(4, _folders.Count / 2);
        Assert.All(_guests, guest => Assert.False(Directory.Exists($"/proc/{guest}"), $"QEMU {guest} is still there."));
        Assert.All(_folders, folder => Assert.False(Directory.Exists(folder) || File.Exists(folder + ".lock"), folder));
        string sockets = await File.ReadAllTextAsync("/proc/net/unix", Cancel);
        Assert.All(_folders, folder => Assert.DoesNotContain(folder, sockets, StringComparison.Ordinal));
        await SettledAsync(() => OpenFiles().Where(file => file.StartsWith(lab.Paths.Budget, StringComparison.Ordinal)).Except(open).Any() ? "reservations are left" : null);
        await SettledAsync(() => OpenFiles().Length is int now && now > open.Length + DescriptorRoom ? $"{now} descriptors are open, {open.Length} were before" : null);
        await SettledAsync(() => GC.GetTotalMemory(forceFullCollection: true) is long now && now > heap + (64 * MiB) ? $"the heap has {now} bytes, and had {heap} before" : null);
    }

    /// <summary>The quiet environment: the same answers all the time, over the channel and over its network.</summary>
    private static async Task<(int Answers, long Heap)> WatchAsync(VirtualEnvironment quiet, CancellationToken over)
    {
        long most = 0;
        int answers = 0;
        for (; !over.IsCancellationRequested; answers++)
        {
            long start = Stopwatch.GetTimestamp();
            string said = FormattableString.Invariant($"answer {answers}");
            Assert.Equal(said, await quiet["server"].RunAsync("echo " + said, Cancel));
            Assert.Contains("Welcome to nginx", await quiet["client"].RunAsync("curl -sf --max-time 60 http://server/", Cancel), StringComparison.Ordinal);
            most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: false));
            TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"answer {answers} after {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s"));
        }

        return (answers, most);
    }

    /// <summary>Console, network and disk.</summary>
    private async Task FloodAsync(EnvironmentSnapshot ready)
    {
        await using VirtualEnvironment shop = await ForkAsync(ready);
        await shop["client"].RunAsync("""
            dev=$(ip -o route get 10.90.0.11 | sed 's/.* dev \([^ ]*\).*/\1/')
            cat > /run/frames.pl <<'END'
            my $index = shift;
            socket(my $raw, 17, 3, 0x0300) or die "socket: $!";
            my $to = pack("S n l S C C a8", 17, 0x88b5, $index, 1, 0, 6, "\xff" x 6);
            while (1) { send($raw, "\xff" x 6 . pack("N4", map { rand 2**32 } 1 .. 4) . "y" x rand 1400, 0, $to) }
            END
            (exec yes 'a flood on the console' > /dev/ttyS0) >/dev/null 2>&1 &
            (exec ping -f 10.90.0.11) >/dev/null 2>&1 &
            (exec perl /run/frames.pl $(cat /sys/class/net/$dev/ifindex)) >/dev/null 2>/run/frames &
            sleep 1
            cat /run/frames >&2
            pgrep -x ping && pgrep -f frames.pl && pgrep -x yes
            """, Cancel);
        await shop["server"].RunAsync("""
            fallocate -l $(($(df --output=avail -B 1 /var | tail -n 1) - 20000000)) /var/filler
            ! dd if=/dev/urandom of=/var/full bs=1M 2>/run/dd && grep 'No space' /run/dd
            """, Cancel);
        await Task.Delay(s_abuse, Cancel);

        Assert.Equal("alive", await shop["server"].RunAsync("echo alive", Cancel));
        Assert.Equal("alive", await shop["client"].RunAsync("echo alive", Cancel));
        Assert.Contains("a flood on the console", shop["client"].ConsoleTail(20), StringComparison.Ordinal);
        Assert.All(Directory.GetFiles(shop.Folder.Work, "console-*.log"), log => Assert.InRange(new FileInfo(log).Length, 0, ConsoleLogLimit));
    }

    /// <summary>The agent's channel and the one of streams.</summary>
    private async Task BabbleAsync(EnvironmentSnapshot ready)
    {
        await using VirtualEnvironment shop = await ForkAsync(ready);
        await using GuestProcess unread = await shop["client"].StartProcessAsync(["yes"], new CommandOptions(), Cancel);
        await shop["client"].ExecuteAsync("yes | head -c 50000000", new CommandOptions { OutputLimit = 1000 }, Cancel);
        await shop["server"].ExecuteAsync("""
            cat > /run/babble <<'END'
            sleep 1
            systemctl stop qemu-guest-agent
            pkill -9 -f guest-channel.pl
            sleep 1
            timeout 8 cat /dev/urandom > /dev/virtio-ports/io.virtigo.stream
            timeout 8 cat /dev/urandom > /dev/virtio-ports/org.qemu.guest_agent.0
            systemctl start qemu-guest-agent
            END
            systemd-run --quiet sh /run/babble
            """, Cancel);
        await Task.Delay(s_abuse, Cancel);
        Assert.Equal("alive", await shop["client"].RunAsync("echo alive", Cancel));
        Assert.Equal("back", await shop["server"].RunAsync("echo back", Cancel));
    }

    /// <summary>Power-off from inside, a killed hypervisor, and an exception in the user's code while a console floods.</summary>
    private async Task EndAsync(EnvironmentSnapshot ready)
    {
        InvalidOperationException thrown = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await using VirtualEnvironment shop = await ForkAsync(ready);
            await shop["server"].ExecuteAsync("systemd-run --quiet sh -c 'sleep 0.2; systemctl poweroff -ff'", Cancel);
            GuestExit off = await shop["server"].Exited.WaitAsync(TimeSpan.FromMinutes(2), Cancel);
            Assert.Equal(GuestExitReason.GuestShutdown, off.Reason);
            Assert.Equal("alive", await shop["client"].RunAsync("echo alive", Cancel));

            Task<Machines.CommandResult> running = shop["client"].ExecuteAsync("yes > /dev/ttyS0", Cancel);
            await Tool.RunAsync("kill", ["-9", shop["client"].Guest.ProcessId.ToString(CultureInfo.InvariantCulture)], Cancel);
            VirtigoException killed = await Assert.ThrowsAsync<VirtigoException>(() => running);
            Assert.Contains("client is off", killed.Message, StringComparison.Ordinal);
            await shop["server"].StartAsync(Cancel);
            throw new InvalidOperationException("The user's test is wrong.");
        });
        Assert.Contains("The user's test", thrown.Message, StringComparison.Ordinal);
    }

    private async Task<VirtualEnvironment> ForkAsync(EnvironmentSnapshot ready)
    {
        VirtualEnvironment fork = await ready.ForkAsync(Cancel);
        lock (_folders)
        {
            _folders.AddRange([fork.Folder.Work, Path.GetDirectoryName(fork.Folder.Guest(ready.Host, ready.Plan, 0).WorkDirectory)!]);
            _guests.AddRange(fork.Machines.Select(machine => machine.Guest.ProcessId));
        }

        return fork;
    }

    private static string[] OpenFiles() => [.. Directory.GetFiles("/proc/self/fd").Select(file => new FileInfo(file).LinkTarget ?? "")];

    /// <summary>Waits until nothing is wrong: what ends in the background may take a moment.</summary>
    private static async Task SettledAsync(Func<string?> wrong)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (wrong() is { } what)
        {
            Assert.False(limit.IsCancellationRequested, what);
            await Task.Delay(200, Cancel);
        }
    }
}
