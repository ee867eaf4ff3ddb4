using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Uml;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

[Collection(KernelGuests.Name)]
public sealed class UmlGuestTests(KernelFixture fixture) : HypervisorConformance(fixture)
{
    private const string OwnerVariable = "VIRTIGO_TEST_UML_OWNER";

    protected override IHypervisor Hypervisor { get; } = new UmlHypervisor(fixture.Paths);

    protected override (string Disk, string SecondDisk, string Nic, string Agent) Devices => ("/dev/ubda", "/dev/ubdb", "vec0", "/dev/ttyS1");

    [Fact]
    public async Task The_power_button_of_a_guest_whose_system_answers_it_is_a_clean_end()
    {
        await using TinyGuest guest = await StartAsync(await ConfigAsync("button") with { RestartOnReset = true });
        await guest.RunAsync("echo 1 >/proc/sys/kernel/ctrl-alt-del");
        await guest.Guest.PowerButtonAsync(Token);

        Assert.Equal(GuestExitReason.GuestShutdown, (await guest.Guest.Exited.WaitAsync(Limit, Token)).Reason);
    }

    [Fact]
    public async Task A_probe_says_how_guests_run_and_how_fast()
    {
        Assert.True((await Hypervisor.LookAsync(Token)).IsUsable);
        AcceleratorReport report = await Hypervisor.ProbeAsync(HostTools.Require(UmlCommandLine.Program), Token);

        Assert.Equal(Accelerator.Ptrace, report.Accelerator);
        Assert.InRange(report.Speed.ProbeTime, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(100));
        Assert.Contains("ptrace", report.Announcement, StringComparison.Ordinal);
        Assert.True((await Hypervisor.ProbeAsync(HostTools.Require(UmlCommandLine.Program), Token)).FromCache);
    }

    [Fact]
    public async Task A_disk_that_says_it_lies_over_a_file_of_the_hosts_is_refused()
    {
        string disk = Fixture.At("uml-forged.raw");
        await File.WriteAllTextAsync(disk, "OOOM" + new string('x', 4092), Token);
        GuestConfig config = await ConfigAsync("forged") with { Disks = [new GuestDisk(disk, DiskFormat.Raw)] };

        Assert.Contains(disk, (await Assert.ThrowsAsync<VirtigoException>(() => Hypervisor.StartAsync(config, Token))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Killing_Virtigo_outright_leaves_no_process_of_the_guest()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vt");
        string initrd = (await BootAsync()).InitrdPath!;
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        start.Environment[OwnerVariable] = $"{folder.FullName}:{initrd}";
        using Process owner = Process.Start(start)!;
        try
        {
            string line = await owner.StandardOutput.ReadLineAsync(Token) ?? throw new InvalidOperationException("The owner of the guest ended early.");
            int session = int.Parse(line, CultureInfo.InvariantCulture);
            Assert.True(Sessions.Of(session).Count > 2);
            owner.Kill();
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            while (Sessions.Of(session).Count > 0)
            {
                await Task.Delay(20, limit.Token);
            }
        }
        finally
        {
            owner.Kill();
            folder.Delete(recursive: true);
        }
    }

    protected override async Task<KernelBoot> BootAsync()
    {
        string initrd = Fixture.At("uml-initrd");
        if (!File.Exists(initrd))
        {
            await TinyGuest.WriteInitrdAsync(initrd, await Fixture.BusyboxAsync(), []);
        }

        return new KernelBoot(HostTools.Require(UmlCommandLine.Program), initrd, "console=ttyS0 panic=-1");
    }

    [ModuleInitializer]
    internal static void OwnIfAsked()
    {
        if (Environment.GetEnvironmentVariable(OwnerVariable)?.Split(':') is not [string folder, string initrd])
        {
            return;
        }

        // No other thread may enter this module before its initializer has ended, so everything here is done by this one.
        var config = new GuestConfig
        {
            Name = "owned",
            WorkDirectory = folder,
            MemoryMiB = 128,
            Kernel = new KernelBoot(HostTools.Require(UmlCommandLine.Program), initrd, "console=ttyS0"),
            Serials = [new GuestSerial("console")],
        };
        IGuest guest = new UmlHypervisor(new HostPaths(folder, folder, folder, folder, folder)).StartAsync(config, CancellationToken.None).GetAwaiter().GetResult();
        using var reader = new StreamReader(guest.OpenSerial("console"));
        while (reader.ReadLine() is { } line && !line.Contains("Run /init", StringComparison.Ordinal))
        {
        }

        Console.WriteLine(guest.ProcessId);
        guest.Exited.Wait();
        Environment.Exit(1);
    }
}
