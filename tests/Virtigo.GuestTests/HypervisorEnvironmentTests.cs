using System.Text.Json;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>The same environment and the same test on hypervisors that cannot fork, by the command.</summary>
[Collection(EnvironmentGuests.Name)]
public sealed class HypervisorEnvironmentTests(Lab lab, EnvironmentFixture fixture)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("uml", "uml")]
    [InlineData("libvirt", "qemu")]
    public async Task Two_machines_on_one_network_are_booted_for_the_test(string hypervisor, string virtualization)
    {
        StoredImage _ = await lab.Golden;
        File.Copy(lab.Example, Path.Combine(fixture.Folder.FullName, "web.yml"), overwrite: true);
        string file = Path.Combine(fixture.Folder.FullName, hypervisor + "-pair.yml");
        await File.WriteAllTextAsync(file, $$"""
            machines:
              server: {appliance: web.yml, memory: 512MiB}
              client: {appliance: web.yml, memory: 512MiB}
            ready:
              - server: echo prepared > /run/prepared
            tests:
              page:
                - server: {run: cat /run/prepared; systemd-detect-virt, prints: [prepared, {{virtualization}}]}
                - client: {run: curl -sf http://server/, within: 60s, prints: Welcome}
            """, Cancel);
        using IDisposable places = await lab.AllPlacesAsync();

        CommandResult result = await lab.RunAsync("test", file, "--hypervisor", hypervisor, "--json");

        Assert.True(result.ExitCode == 0, result.People + result.Data);
        JsonElement[] events = [.. result.Data.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Contains(events, one => one.GetProperty("event").GetString() == "note"
            && one.GetProperty("detail").GetString()!.StartsWith($"{hypervisor} cannot fork running machines", StringComparison.Ordinal));
        JsonElement ended = Assert.Single(events, one => one.GetProperty("event").GetString() == "test-ended");
        Assert.Equal("passed", ended.GetProperty("outcome").GetString());
        TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant($"{hypervisor}: {ended.GetProperty("seconds").GetDouble():0} s"));
    }

    [Fact]
    public async Task An_environment_to_work_in_by_hand_is_booted_where_it_was_asked_for()
    {
        StoredImage _ = await lab.Golden;
        File.Copy(lab.Example, Path.Combine(fixture.Folder.FullName, "web.yml"), overwrite: true);
        string file = Path.Combine(fixture.Folder.FullName, "by-hand.yml");
        await File.WriteAllTextAsync(file, "machines: {box: {appliance: web.yml, memory: 512MiB}}\nready: [box: echo prepared > /run/prepared]\n", Cancel);
        using IDisposable place = await lab.PlaceAsync();

        CommandResult up = await lab.RunAsync("up", file, "--name", "by-hand", "--hypervisor", "uml");
        try
        {
            Assert.True(up.ExitCode == 0, up.People + up.Data);
            Assert.Contains("uml cannot fork running machines", up.People, StringComparison.Ordinal);
            CommandResult said = await lab.RunAsync("shell", "by-hand/box", "--", "cat /run/prepared; systemd-detect-virt");
            Assert.Equal("prepared\numl\n", said.Data);
        }
        finally
        {
            CommandResult down = await lab.RunAsync("down", "by-hand");
            Assert.True(down.ExitCode == 0 || up.ExitCode != 0, down.People);
        }
    }
}
