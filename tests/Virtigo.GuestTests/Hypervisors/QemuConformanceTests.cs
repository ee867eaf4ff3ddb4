using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

[Collection(KernelGuests.Name)]
public sealed class QemuConformanceTests(KernelFixture fixture) : HypervisorConformance(fixture)
{
    protected override IHypervisor Hypervisor { get; } = new QemuHypervisor(fixture.Paths);

    protected override (string Disk, string SecondDisk, string Nic, string Agent) Devices => ("/dev/vda", "/dev/vdb", "eth0", "/dev/$(ls /sys/class/virtio-ports)");

    protected override Task<KernelBoot> BootAsync() => Fixture.BootAsync();
}
