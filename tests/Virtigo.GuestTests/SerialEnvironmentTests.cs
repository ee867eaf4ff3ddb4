using Virtigo.Environments;
using Virtigo.Images;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>An installed Debian with <c>control: serial</c>: no agent, no channel, a root shell on its console.</summary>
[Collection(EnvironmentGuests.Name)]
public sealed class SerialEnvironmentTests(Lab lab, EnvironmentFixture fixture)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_machine_without_agent_is_booted_saved_forked_and_shut_down()
    {
        StoredImage _ = await lab.Golden;
        File.Copy(lab.Example, Path.Combine(fixture.Folder.FullName, "web.yml"), overwrite: true);
        string file = Path.Combine(fixture.Folder.FullName, "serial.yml");
        await File.WriteAllTextAsync(file, """
            machines:
              alone: {appliance: web.yml, memory: 512MiB, control: serial}
            ready:
              - alone: {run: cat > /run/prepared, input: ready}
            """, Cancel);
        using IDisposable places = await lab.AllPlacesAsync();
        using EnvironmentSnapshot ready = await VirtualEnvironment.FromFile(file).PrepareAsync(cancellationToken: Cancel);

        await using VirtualEnvironment one = await ready.ForkAsync(Cancel);
        Machine alone = one["alone"];
        Assert.Contains("ready", await alone.RunAsync("cat /run/prepared", Cancel), StringComparison.Ordinal);
        Assert.Contains("alone", await alone.RunAsync("hostname", Cancel), StringComparison.Ordinal);
        await alone.RunAsync("test ! -e /dev/virtio-ports && ! systemctl is-active --quiet qemu-guest-agent", Cancel);
        Assert.Contains("www-data", await alone.RunAsync("id -un", new CommandOptions { User = "www-data" }, Cancel), StringComparison.Ordinal);
        await alone.WaitForUnitAsync("nginx", null, Cancel);
        Task<VirtigoException> refused = Assert.ThrowsAsync<VirtigoException>(() => alone.CopyOutAsync("/etc/hostname", Path.Combine(fixture.Folder.FullName, "copy"), Cancel));
        Assert.Contains("serial console", (await refused).Message, StringComparison.Ordinal);

        await alone.ShutdownAsync(Cancel);
        Assert.Equal(MachineState.Off, alone.State);
    }
}
