using System.Diagnostics;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

[Collection(KernelGuests.Name)]
public sealed class AcceleratorProbeTests(KernelFixture fixture)
{
    [Fact]
    public async Task A_probe_finds_what_runs_here_and_how_fast_and_remembers_it()
    {
        var hypervisor = new QemuHypervisor(fixture.Paths);

        AcceleratorReport first = await hypervisor.ProbeAsync(fixture.Kernel, TestContext.Current.CancellationToken);
        long start = Stopwatch.GetTimestamp();
        AcceleratorReport second = await hypervisor.ProbeAsync(fixture.Kernel, TestContext.Current.CancellationToken);

        TestContext.Current.TestOutputHelper!.WriteLine($"{first} {first.Announcement} {Stopwatch.GetElapsedTime(start)}");
        Assert.NotEqual(Accelerator.Auto, first.Accelerator);
        Assert.Equal(first.Accelerator == Accelerator.Kvm, first.Reason is null);
        Assert.InRange(first.Speed.ProbeTime.TotalSeconds, 0.1, 300);
        Assert.False(first.FromCache);
        Assert.True(second.FromCache);
        Assert.Equal(first with { FromCache = true, Speed = second.Speed }, second);
        Assert.Equal(first.Speed.Factor, second.Speed.Factor, 3);
        Assert.Empty(Directory.EnumerateFileSystemEntries(fixture.Paths.Runtime));
    }
}
