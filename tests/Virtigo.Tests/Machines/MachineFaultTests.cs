using Virtigo.Hypervisors;
using Virtigo.Machines;
using Virtigo.Tests.Hypervisors;
using Xunit;

namespace Virtigo.Tests.Machines;

public sealed class MachineFaultTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Losses_are_drawn_from_the_seed_of_the_environment_each_fault_anew()
    {
        DiskFault[] first = await SetAsync("server", 7);
        DiskFault[] again = await SetAsync("server", 7);

        Assert.Equal(first, again);
        Assert.Equal(7, first.Concat(await SetAsync("server", 8)).Concat(await SetAsync("client", 7)).Select(fault => fault.Seed).Distinct().Count());
        Assert.Equal(99UL, first[2].Seed);
    }

    private static async Task<DiskFault[]> SetAsync(string name, ulong seed)
    {
        var guest = new RecordingGuest();
        await using var machine = new Machine(new MachineConfig
        {
            Name = name,
            Hypervisor = new OneGuest(guest),
            Guest = new GuestConfig { Name = name, WorkDirectory = "/none", MemoryMiB = 16 },
            Seed = seed,
        });
        await machine.StartAsync(Token);
        var lost = new DiskFault(DiskFaultKind.LostWrites) { Loss = DiskLoss.Some };
        await machine.SetDiskFaultAsync(0, lost, Token);
        await machine.SetDiskFaultAsync(0, lost, Token);
        await machine.SetDiskFaultAsync(0, lost with { Seed = 99 }, Token);
        return [.. guest.Faults];
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("system", 0)]
    [InlineData("data", 1)]
    [InlineData("2", 2)]
    [InlineData("spare", 2)]
    public async Task A_disk_is_named_or_numbered(string disk, int number)
    {
        await using Machine machine = WithDisks();
        Assert.Equal(number, machine.DiskNumber(disk));
    }

    [Theory]
    [InlineData("3")]
    [InlineData("date")]
    public async Task A_disk_that_is_not_there_is_refused_with_those_that_are(string disk)
    {
        await using Machine machine = WithDisks();
        VirtigoException wrong = Assert.Throws<VirtigoException>(() => machine.DiskNumber(disk));
        Assert.Equal(FailureKind.Usage, wrong.Kind);
        Assert.Equal($"The machine server has no disk {disk}; it has: system, data, spare.", wrong.Message);
    }

    private static Machine WithDisks() => new(new MachineConfig
    {
        Name = "server",
        Hypervisor = new OneGuest(new RecordingGuest()),
        Guest = new GuestConfig
        {
            Name = "server",
            WorkDirectory = "/none",
            MemoryMiB = 16,
            Disks = [new("/a", DiskFormat.Qcow2), new("/b", DiskFormat.Qcow2) { Serial = "data" }, new("/c", DiskFormat.Qcow2) { Serial = "spare" }],
        },
        Seed = 1,
    });

    private sealed class RecordingGuest : FakeGuest
    {
        public List<DiskFault> Faults { get; } = [];

        public override Task SetDiskFaultAsync(int disk, DiskFault fault, CancellationToken cancellationToken)
        {
            Faults.Add(fault);
            return Task.CompletedTask;
        }
    }
}
