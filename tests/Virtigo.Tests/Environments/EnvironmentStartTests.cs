using Virtigo.Appliances;
using Virtigo.Environments;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Images;
using Virtigo.Testing;
using Virtigo.Tests.Images;
using Xunit;

namespace Virtigo.Tests.Environments;

/// <summary>Copies of a ready environment: saved and forked where the hypervisor can, booted each time where it cannot.</summary>
public sealed class EnvironmentStartTests : IDisposable
{
    private const string Yaml = """
        machines: {a: debian, b: debian}
        ready:
          - a: touch /run/prepared
        """;

    private static readonly HypervisorCapabilities s_forks = PlayedHypervisor.Everything with { StreamChannel = false };
    private static readonly HypervisorCapabilities s_boots = new()
    {
        MaxSerials = 2, MaxDisks = 4, MaxNics = 4, DiskBoot = true, AgentChannel = true,
        Reasons = new Dictionary<string, string> { ["fork"] = "its state cannot be saved" },
    };

    private readonly TestStore _test = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task A_hypervisor_that_forks_boots_once_and_every_copy_goes_on_from_there()
    {
        var hypervisor = new PlayedHypervisor("saves", s_forks);
        using EnvironmentSnapshot ready = await PrepareAsync(hypervisor);
        await using VirtualEnvironment one = await ready.ForkAsync(Token);
        await using VirtualEnvironment two = await ready.ForkAsync(Token);

        Assert.False(ready.BootsEachFork);
        Assert.Single(hypervisor.Ran, ran => ran.Contains("touch /run/prepared", StringComparison.Ordinal));
        Assert.Equal([false, false, true, true, true, true], hypervisor.Started.Select(guest => guest.SavedState is not null));
        Assert.Equal(4, hypervisor.Running);
    }

    [Fact]
    public async Task One_that_does_not_boots_every_copy_on_disks_of_its_own_and_does_the_ready_steps_again()
    {
        var hypervisor = new PlayedHypervisor("boots", s_boots);
        using EnvironmentSnapshot ready = await PrepareAsync(hypervisor);
        Assert.True(ready.BootsEachFork);
        Assert.Empty(hypervisor.Started);

        VirtualEnvironment one = await ready.ForkAsync(Token);
        await using VirtualEnvironment two = await ready.ForkAsync(Token);

        Assert.Equal(2, hypervisor.Ran.Count(ran => ran.StartsWith("a: ", StringComparison.Ordinal) && ran.Contains("touch /run/prepared", StringComparison.Ordinal)));
        Assert.All(hypervisor.Started, guest => Assert.True(guest is { SavedState: null, MemoryFile: null, StreamChannel: false, Display: false, GenerationId: false }));
        GuestDisk[] disks = [.. hypervisor.Started.Select(guest => Assert.Single(guest.Disks))];
        Assert.Equal(4, disks.Select(disk => disk.Path).Distinct().Count());
        Assert.All(disks, disk => Assert.Equal(Virtigo.Hypervisors.DiskFormat.Raw, disk.Format));
        Assert.All(disks, disk => Assert.Equal(TestStore.Content, File.ReadAllBytes(disk.Path)));
        await one.DisposeAsync();
        Assert.Equal(2, hypervisor.Running);
        Assert.Equal(2, disks.Count(disk => File.Exists(disk.Path)));
    }

    [Fact]
    public async Task A_copy_whose_ready_step_fails_says_where_and_leaves_nothing()
    {
        var hypervisor = new PlayedHypervisor("boots", s_boots) { ExitCode = script => script.Contains("touch", StringComparison.Ordinal) ? 3 : 0 };
        using EnvironmentSnapshot ready = await PrepareAsync(hypervisor);

        VirtigoException failure = await Assert.ThrowsAsync<VirtigoException>(() => ready.ForkAsync(Token));

        Assert.StartsWith($"{_test.Below("shop.yml")}:3:5: the environment does not get ready: ", failure.Message, StringComparison.Ordinal);
        Assert.Equal(0, hypervisor.Running);
        Assert.Empty(Directory.EnumerateFiles(_test.Paths.Work, "*.img", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Where_machines_cannot_be_saved_a_running_environment_refuses_to_be()
    {
        using EnvironmentSnapshot ready = await PrepareAsync(new PlayedHypervisor("boots", s_boots));
        await using VirtualEnvironment environment = await ready.ForkAsync(Token);

        VirtigoException refusal = await Assert.ThrowsAsync<VirtigoException>(() => environment.SnapshotAsync(Token));

        Assert.Equal((FailureKind.Usage, "The environment shop cannot be saved as it runs: boots has no fork, since its state cannot be saved."), (refusal.Kind, refusal.Message));
    }

    [Fact]
    public async Task What_carries_streams_is_refused_with_the_hypervisor_as_the_reason()
    {
        using EnvironmentSnapshot ready = await PrepareAsync(new PlayedHypervisor("boots", s_boots));
        await using VirtualEnvironment environment = await ready.ForkAsync(Token);

        VirtigoException refusal = await Assert.ThrowsAsync<VirtigoException>(() => environment["a"].ConnectAsync(80, Token));

        Assert.Equal("Connections need a channel for streams, which guests of boots do not have.", refusal.Message);
    }

    [Fact]
    public async Task Tests_run_in_booted_copies_and_what_they_cannot_have_there_is_refused_first()
    {
        var hypervisor = new PlayedHypervisor("boots", s_boots);
        using EnvironmentSnapshot ready = await PrepareAsync(hypervisor);
        TestFile file = TestFile.Parse(Yaml + "\ntests:\n  works:\n    - b: cat /run/prepared\n  presses:\n    - keys: {machine: b, press: ret}\n", "shop.yml");

        VirtigoException keys = await Assert.ThrowsAsync<VirtigoException>(() => file.RunAsync(ready, new TestOptions(), null, Token));
        VirtigoException proof = await Assert.ThrowsAsync<VirtigoException>(() =>
            file.RunAsync(ready, new TestOptions { Filters = ["works"], ProveIsolation = true }, null, Token));
        Assert.Empty(hypervisor.Started);
        TestReport report = await file.RunAsync(ready, new TestOptions { Filters = ["works"] }, null, Token);

        Assert.Equal("shop.yml:8:7: 'keys: machine b, press ret' cannot be run by boots: no keys", keys.Message);
        Assert.Equal("shop.yml: the proof of isolation cannot be run by boots: no isolation", proof.Message);
        Assert.Equal((TestOutcome.Passed, "boots"), (Assert.Single(report.Results).Outcome, report.Properties["hypervisor"]));
        Assert.Contains(hypervisor.Ran, ran => ran.StartsWith("b: ", StringComparison.Ordinal) && ran.Contains("cat /run/prepared", StringComparison.Ordinal));
        Assert.Equal(0, hypervisor.Running);
    }

    private async Task<EnvironmentSnapshot> PrepareAsync(PlayedHypervisor hypervisor)
    {
        string file = _test.Below("shop.yml");
        await File.WriteAllTextAsync(file, Yaml, Token);
        EnvironmentSpec spec = await EnvironmentReader.LoadAsync(file, Token);
        StoredImage image = await _test.SealRealAsync("web");
        IReadOnlyList<NetworkPlan> networks = AddressPlanner.Networks(spec);
        Dictionary<string, IReadOnlyList<NicPlan>> nics = AddressPlanner.Nics(spec, networks);
        AppliancePlan appliance = await new AppliancePlanner(new PlannerEnvironment
        {
            Paths = _test.Paths,
            ResolveRelease = (_, _, _) => Task.FromResult(new ResolvedRelease("trixie", "13.1", "stable")),
            FindHostMirror = () => new HostMirror(new Uri("http://mirror.example/debian"), "here"),
            FindHostSecurityMirror = () => new HostMirror(new Uri("http://security.example/debian-security"), "here"),
            SshDirectory = _test.Below("ssh"),
            ZoneInfoDirectory = _test.Below("none"),
        }).PlanAsync(spec.Machines[0].Appliance, Token);
        var plan = new EnvironmentPlan
        {
            Spec = spec,
            Machines = [.. spec.Machines.Select(machine => new MachinePlan(machine.Name, appliance, image, 16, 1, nics[machine.Name]))],
            Networks = networks,
            Platform = hypervisor.Name,
        };
        var host = new EnvironmentHost(_test.Paths, hypervisor, TimeProvider.System)
        {
            Budget = new HostBudget(_test.Paths, TimeProvider.System, () => 1 << 20, () => 1 << 20),
        };
        return await new EnvironmentPreparation(host, plan, new PreparationLog(TimeProvider.System, null)).RunAsync(Token);
    }
}
