using Virtigo.Host;
using Virtigo.Hypervisors;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class ProbeMemoryTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-probe-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task A_probe_is_made_once_for_all_that_its_answer_depends_on()
    {
        int probes = 0;
        Task<AcceleratorReport> Probe(CancellationToken token) => Task.FromResult(Report(Accelerator.Ptrace, ++probes));

        AcceleratorReport first = await Memory("uml").RecallAsync("a", Probe, Token);
        AcceleratorReport again = await Memory("uml").RecallAsync("a", Probe, Token);
        AcceleratorReport other = await Memory("uml").RecallAsync("b", Probe, Token);

        Assert.Equal((false, true, false), (first.FromCache, again.FromCache, other.FromCache));
        Assert.Equal((first with { FromCache = true }, 2), (again, probes));
    }

    [Fact]
    public async Task Each_hypervisor_remembers_its_own_newest_answer()
    {
        await Memory("uml").RecallAsync("a", _ => Task.FromResult(Report(Accelerator.Ptrace, 1)), Token);
        await Memory("qemu").RecallAsync("a", _ => Task.FromResult(Report(Accelerator.Tcg, 4)), Token);

        Assert.Equal(Accelerator.Ptrace, Memory("uml").Newest()!.Accelerator);
        Assert.Equal(TimeSpan.FromSeconds(4), Memory("qemu").Newest()!.Speed.ProbeTime);
        Assert.Null(Memory("xen").Newest());
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"Accelerator\":\"Auto\",\"ProbeSeconds\":1}")]
    [InlineData("{\"Accelerator\":\"Tcg\",\"ProbeSeconds\":-1}")]
    [InlineData("{\"Accelerator\":\"Warp\",\"ProbeSeconds\":1}")]
    [InlineData("{\"Kvm\":true,\"ProbeSeconds\":1}")]
    public async Task An_answer_that_makes_no_sense_is_asked_anew(string stored)
    {
        await Memory("uml").RecallAsync("a", _ => Task.FromResult(Report(Accelerator.Ptrace, 1)), Token);
        string file = Directory.EnumerateFiles(_home, "uml-a.json", SearchOption.AllDirectories).Single();
        await File.WriteAllTextAsync(file, stored, Token);

        Assert.Null(Memory("uml").Newest());
        Assert.Equal(TimeSpan.FromSeconds(7), (await Memory("uml").RecallAsync("a", _ => Task.FromResult(Report(Accelerator.Ptrace, 7)), Token)).Speed.ProbeTime);
    }

    private ProbeMemory Memory(string hypervisor) => new(HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null), hypervisor);

    private static AcceleratorReport Report(Accelerator accelerator, double seconds) =>
        new(accelerator, "why", null, new HostSpeed(TimeSpan.FromSeconds(seconds)), FromCache: false);
}
