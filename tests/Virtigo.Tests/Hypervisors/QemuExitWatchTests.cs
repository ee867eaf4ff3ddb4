using System.Text.Json;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class QemuExitWatchTests
{
    private const string Panic = "Kernel panic - not syncing: VFS";

    [Fact]
    public void A_clean_shutdown_is_one_even_when_we_then_killed_it() =>
        Assert.Equal(GuestExitReason.GuestShutdown, Conclude([("SHUTDOWN", """{"guest": true, "reason": "guest-shutdown"}""")], killed: true).Reason);

    [Fact]
    public void A_reset_is_a_panic_only_when_the_kernel_said_so()
    {
        (string, string)[] reset = [("SHUTDOWN", """{"guest": true, "reason": "guest-reset"}""")];

        Assert.Equal(GuestExitReason.GuestReset, Conclude(reset).Reason);
        GuestExit panicked = Conclude(reset, panic: Panic);
        Assert.Equal(GuestExitReason.GuestPanicked, panicked.Reason);
        Assert.Contains(Panic, panicked.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void The_panic_device_tells_of_a_panic() => Assert.Equal(GuestExitReason.GuestPanicked,
        Conclude([("GUEST_PANICKED", """{"action": "pause"}"""), ("SHUTDOWN", """{"guest": true, "reason": "guest-panic"}""")]).Reason);

    [Fact]
    public void A_full_disk_of_the_hosts_ends_the_guest_and_is_named()
    {
        var watch = new QemuExitWatch();
        Assert.True(watch.See(Event("BLOCK_IO_ERROR", """{"device": "disk0", "nospace": true, "action": "stop", "reason": "No space left on device"}""")));

        GuestExit exit = watch.Conclude(true, 137, "", null, "qemu");
        Assert.Equal(GuestExitReason.HostDiskError, exit.Reason);
        Assert.Contains("full", exit.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_error_that_the_guest_is_told_of_does_not_end_it() =>
        Assert.False(new QemuExitWatch().See(Event("BLOCK_IO_ERROR", """{"action": "report"}""")));

    [Theory]
    [InlineData(137, "memory")]
    [InlineData(139, "signal 11")]
    [InlineData(1, "exit code 1. It said: no such thing")]
    public void A_hypervisor_that_died_is_told_with_its_last_words(int code, string expected)
    {
        GuestExit exit = Conclude([], code: code, tail: "no such thing\n");

        Assert.Equal(GuestExitReason.HypervisorDied, exit.Reason);
        Assert.Contains(expected, exit.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_guest_that_we_ended_was_killed() => Assert.Equal(GuestExitReason.Killed, Conclude([], killed: true, code: 137).Reason);

    private static GuestExit Conclude((string Name, string Data)[] events, bool killed = false, int code = 0, string tail = "", string? panic = null)
    {
        var watch = new QemuExitWatch();
        Assert.All(events, value => Assert.False(watch.See(Event(value.Name, value.Data))));
        return watch.Conclude(killed, code, tail, panic, "qemu");
    }

    private static QmpEvent Event(string name, string data) => new(name, JsonDocument.Parse(data).RootElement);
}
