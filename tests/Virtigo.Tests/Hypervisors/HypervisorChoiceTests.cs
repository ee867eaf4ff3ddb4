using Virtigo.Hypervisors;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class HypervisorChoiceTests
{
    private static readonly HypervisorCapabilities s_all = new()
    {
        MaxSerials = 4, MaxNics = 4, KernelBoot = true, DiskBoot = true, Fork = true, AgentChannel = true, Isolation = true,
    };

    private static readonly HypervisorCapabilities s_open = s_all with
    {
        Isolation = false,
        DiskBoot = false,
        Reasons = new Dictionary<string, string> { ["isolation"] = "it is a program of yours", ["disk boot"] = "it has no firmware" },
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_fastest_that_can_is_taken_and_every_speed_is_told()
    {
        Known slow = new("slow", s_all, Seconds: 4.2);
        Known fast = new("fast", s_all, Seconds: 1.5);
        HypervisorChoice choice = await MakeAsync([slow, fast], "auto", Needs("agent"));

        Assert.Same(fast, choice.Hypervisor);
        Assert.True(choice.Compared);
        Assert.Equal("the fastest that can: a kernel boots in 4.2 s under slow, 1.5 s under fast", choice.Reason);
    }

    [Fact]
    public async Task Of_two_as_fast_the_first_is_taken() =>
        Assert.Equal("first", (await MakeAsync([new Known("first", s_all, Seconds: 2), new Known("second", s_all, Seconds: 2)], "auto", Needs())).Hypervisor.Name);

    [Theory]
    [InlineData(false, "wall", "the only one that can: open cannot: no isolation, since it is a program of yours")]
    [InlineData(true, "open", "the fastest that can: a kernel boots in 4.0 s under wall, 1.0 s under open")]
    public async Task Without_trust_no_guest_gets_where_it_could_reach_its_host(bool trusted, string name, string reason)
    {
        HypervisorChoice choice = await MakeAsync([new Known("wall", s_all, Seconds: 4), new Known("open", s_open, Seconds: 1)], "auto", Needs("agent") with { Trusted = trusted });

        Assert.Equal((name, reason), (choice.Hypervisor.Name, choice.Reason));
    }

    [Fact]
    public async Task What_auto_wishes_for_a_named_one_need_not_have()
    {
        Known[] all = [new("wall", s_all, Seconds: 4), new("open", s_open, Seconds: 1)];
        HypervisorNeeds needs = Needs("kernel boot") with { Wished = ["disk boot"], Trusted = true };

        Assert.Equal("wall", (await MakeAsync(all, "auto", needs)).Hypervisor.Name);
        Assert.Equal("open", (await MakeAsync(all, "open", needs)).Hypervisor.Name);
    }

    [Fact]
    public async Task What_a_named_one_cannot_do_is_refused_with_its_reason()
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => MakeAsync([new Known("open", s_open, Seconds: 1)], "open", Needs("disk boot")));

        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.Equal("The build of web cannot be run by open: no disk boot, since it has no firmware.", error.Message);
    }

    [Fact]
    public async Task One_that_is_not_there_is_refused_with_what_mends_it()
    {
        Known gone = new("gone", s_all, Seconds: 1) { Presence = new HypervisorPresence(null, "gone is not installed", "apt install gone") };
        VirtigoException named = await Assert.ThrowsAsync<VirtigoException>(() => MakeAsync([gone], "gone", Needs()));
        VirtigoException auto = await Assert.ThrowsAsync<VirtigoException>(() => MakeAsync([gone, new Known("open", s_open, Seconds: 1)], "auto", Needs()));

        Assert.Equal((FailureKind.Host, "The build of web cannot be run by gone here: gone is not installed.", "apt install gone"), (named.Kind, named.Message, named.Hint));
        Assert.Equal("The build of web can be run by no hypervisor here: gone is not usable here: gone is not installed; open cannot: no isolation, since it is a program of yours.",
            auto.Message);
        Assert.Equal(FailureKind.Usage, (await Assert.ThrowsAsync<VirtigoException>(() => MakeAsync([gone], "bochs", Needs()))).Kind);
    }

    [Fact]
    public async Task What_was_not_measured_is_measured_where_a_kernel_is_at_hand()
    {
        Known own = new("own", s_all, Seconds: 3) { OwnKernel = "/its-kernel", IsProbed = false };
        Known slow = new("slow", s_all, Seconds: 4) { IsProbed = false };
        Assert.Equal("own", (await MakeAsync([slow, own], "auto", Needs() with { Kernel = _ => Task.FromResult<string?>("/guests-kernel") })).Hypervisor.Name);
        Assert.Equal(["/its-kernel"], own.Probed);
        Assert.Equal(["/guests-kernel"], slow.Probed);
    }

    [Fact]
    public async Task Where_not_all_can_be_measured_the_first_is_taken()
    {
        Known first = new("first", s_all, Seconds: 4) { IsProbed = false };
        Known fast = new("fast", s_all, Seconds: 1);
        foreach (HypervisorNeeds needs in (HypervisorNeeds[])[Needs(), Needs() with { Kernel = _ => Task.FromResult<string?>(null) }])
        {
            HypervisorChoice choice = await MakeAsync([first, fast], "auto", needs);
            Assert.Equal(("first", "the first that can, since no kernel is at hand to measure first by", false), (choice.Hypervisor.Name, choice.Reason, choice.Compared));
        }
    }

    private static HypervisorNeeds Needs(params string[] features) => new("The build of web", features);

    private static Task<HypervisorChoice> MakeAsync(IReadOnlyList<IHypervisor> all, string wish, HypervisorNeeds needs) =>
        HypervisorChoice.MakeAsync(all, wish, needs, Token);

    /// <summary>A hypervisor of which everything is known, and that starts nothing.</summary>
    private sealed class Known(string name, HypervisorCapabilities can, double Seconds) : IHypervisor
    {
        public string Name => name;

        public HypervisorCapabilities Capabilities => can;

        public HypervisorPresence Presence { get; init; } = new("1", null, null);

        public bool IsProbed { get; init; } = true;

        public string? OwnKernel { get; init; }

        public List<string> Probed { get; } = [];

        public Task<string> VersionAsync(CancellationToken cancellationToken) => Task.FromResult("1");

        public Task<HypervisorPresence> LookAsync(CancellationToken cancellationToken) => Task.FromResult(Presence);

        public Task<AcceleratorReport> ProbeAsync(string kernelPath, CancellationToken cancellationToken)
        {
            Probed.Add(kernelPath);
            return Task.FromResult(Report);
        }

        public AcceleratorReport? Remembered() => IsProbed ? Report : null;

        public Task<IGuest> StartAsync(GuestConfig config, CancellationToken cancellationToken) => throw new NotSupportedException();

        private AcceleratorReport Report => new(Accelerator.Tcg, null, null, new HostSpeed(TimeSpan.FromSeconds(Seconds)), FromCache: false);
    }
}
