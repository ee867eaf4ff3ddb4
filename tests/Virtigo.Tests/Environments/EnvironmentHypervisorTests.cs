using Virtigo.Environments;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Uml;
using Virtigo.Hypervisors.Xen;
using Virtigo.Testing;
using Xunit;

namespace Virtigo.Tests.Environments;

/// <summary>Which hypervisor runs an environment, and what is refused before anything starts.</summary>
public sealed class EnvironmentHypervisorTests : IDisposable
{
    private static readonly HypervisorCapabilities s_boots = PlayedHypervisor.Everything with
    {
        Fork = false,
        Reasons = new Dictionary<string, string> { ["fork"] = "its state cannot be saved" },
    };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Shop => Path.Combine(_folder.FullName, "shop.yml");

    private static PlayedHypervisor Forks => new("forks", PlayedHypervisor.Everything);

    private static PlayedHypervisor Boots => new("boots", s_boots);

    private static PlayedHypervisor Open => new("open", s_boots with { Isolation = false });

    private static PlayedHypervisor Gone => new("forks", PlayedHypervisor.Everything) { Presence = new HypervisorPresence(null, "it is not installed", "apt install it") };

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task By_itself_one_that_forks_is_taken_and_nothing_is_said()
    {
        EnvironmentChoice choice = await ChooseAsync(null, Boots, Forks);

        Assert.Equal(("forks", null), (choice.Hypervisor.Name, choice.Note));
        Assert.Equal("Runs in forks: the only one that can: boots cannot: no fork, since its state cannot be saved.", (await ChooseAsync("auto", Boots, Forks)).Note);
    }

    [Fact]
    public async Task Where_none_that_forks_is_there_another_is_and_it_is_said_what_that_means()
    {
        EnvironmentChoice choice = await ChooseAsync(null, Gone, Boots, Open);

        Assert.Equal("boots", choice.Hypervisor.Name);
        Assert.StartsWith("Runs in boots, the only one that can: forks is not usable here: it is not installed; open cannot: no isolation. ", choice.Note, StringComparison.Ordinal);
        Assert.EndsWith("boots cannot fork running machines (no fork, since its state cannot be saved): every test and every environment boots its machines anew and does the ready steps again.",
            choice.Note, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_without_isolation_is_taken_when_it_is_named_or_what_runs_is_trusted()
    {
        Assert.Equal(FailureKind.Host, (await Assert.ThrowsAsync<VirtigoException>(() => ChooseAsync(null, Gone, Open))).Kind);
        Assert.Equal("open", (await ChooseAsync("open", Gone, Open)).Hypervisor.Name);
        EnvironmentSpec spec = await ReadAsync("machines: {a: debian}\n");
        Assert.Equal("open", (await EnvironmentChoice.MakeAsync([Gone, Open], null, trusted: true, spec, [], Token)).Hypervisor.Name);
    }

    [Fact]
    public async Task The_file_names_it_and_the_caller_overrides_that()
    {
        EnvironmentSpec spec = await ReadAsync("machines: {a: debian}\nhypervisor: libvirt\n");
        PlayedHypervisor libvirt = new("libvirt", s_boots);
        PlayedHypervisor gone = new("libvirt", s_boots) { Presence = Gone.Presence };

        Assert.Equal("libvirt", (await EnvironmentChoice.MakeAsync([Forks, libvirt], null, false, spec, [], Token)).Hypervisor.Name);
        Assert.Equal("forks", (await EnvironmentChoice.MakeAsync([Forks, libvirt], "auto", false, spec, [], Token)).Hypervisor.Name);
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => EnvironmentChoice.MakeAsync([Forks, gone], null, false, spec, [], Token));
        Assert.Equal($"{Shop}:2: The environment shop cannot be run by libvirt here: it is not installed.", error.Message);
        Assert.Contains("hypervisor", (await Assert.ThrowsAsync<VirtigoException>(() => ReadAsync("machines: {a: debian}\nhypervisor: bochs\n"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_that_it_cannot_do_is_told_with_its_place_before_anything_starts()
    {
        await File.WriteAllTextAsync(Shop, """
            machines:
              a: {appliance: debian, cpus: 2, control: serial}
              b: debian
            forward: [b:80]
            ready:
              - copy in: {machine: b, from: site, to: /srv}
              - b: {run: cat, input: hi}
              - b: cat
            tests:
              faulty:
                - disk: {machine: b, fault: full}
                - pause: b
              looks:
                artifacts: ["b:/etc/hostname"]
                steps:
                  - keys: {machine: b, press: ret}
                  - screenshot: b
                  - screen text: b
            """, Token);
        var uml = new PlayedHypervisor("uml", UmlHypervisor.Abilities);
        TestFile file = await TestFile.LoadAsync(Shop, Token);

        string all = (await file.ObstacleAsync(uml, [], trusted: true, Token))!;
        Assert.Equal(
            [
                "2:44: machine a: control: serial cannot be run by uml: no credentials, since it has no firmware to carry them; the kernel's command line can",
                "2:32: machine a: 2 processors cannot be run by uml: at most 1",
                "4:10: forward cannot be run by uml: no streams, since it has serial lines only, and the agent has one of its own",
                "6:5: 'copy in: machine b, from site, to /srv' cannot be run by uml: no streams, since it has serial lines only, and the agent has one of its own",
                "7:5: 'b: cat' cannot be run by uml: no streams, since it has serial lines only, and the agent has one of its own",
                "11:7: 'disk: machine b, fault full' cannot be run by uml: no disk faults, since its disks are files that it opens itself, with nothing between",
                "16:9: 'keys: machine b, press ret' cannot be run by uml: no keys, since it has no keyboard; its consoles are serial lines",
                "17:9: 'screenshot: b' cannot be run by uml: no screen, since it has no graphics card; its consoles are serial lines",
                "18:9: 'screen text: b' cannot be run by uml: no screen, since it has no graphics card; its consoles are serial lines",
                "14:16: artifacts cannot be run by uml: no streams, since it has serial lines only, and the agent has one of its own",
            ],
            all.Split('\n').Select(line => line[(Shop.Length + 1)..]));
        Assert.DoesNotContain("keys", await file.ObstacleAsync(uml, ["faulty"], trusted: true, Token), StringComparison.Ordinal);
        Assert.Equal(UmlHypervisor.Abilities.Reasons["isolation"], (await file.ObstacleAsync(uml, [], trusted: false, Token))!["no isolation, since ".Length..].Split("; with")[0]);
        Assert.Null(await file.ObstacleAsync(Forks, [], trusted: false, Token));
        Assert.Equal("not usable here: it is not installed", await file.ObstacleAsync(Gone, [], trusted: false, Token));
        Assert.Empty(uml.Started);
    }

    [Fact]
    public async Task Packets_that_its_cards_do_not_take_are_refused_where_they_are_asked_for()
    {
        await File.WriteAllTextAsync(Shop, "machines: {a: debian}\nnetworks: {x: {mtu: 9000}}\ntests: {one: [a: 'true']}\n", Token);
        TestFile file = await TestFile.LoadAsync(Shop, Token);

        Assert.Equal($"{Shop}:2:21: network x: packets of 9000 bytes cannot be run by xen: at most 1500",
            (await file.ObstacleAsync(new PlayedHypervisor("xen", XenAbilities.Of(XenDomainKind.Pvh)), [], trusted: false, Token))!);
        Assert.Null(await file.ObstacleAsync(Forks, [], trusted: false, Token));
    }

    [Fact]
    public async Task Networks_that_it_does_not_have_are_refused_where_the_machine_is()
    {
        EnvironmentSpec spec = await ReadAsync("machines: {a: {appliance: debian, networks: [x, y]}}\nnetworks: {x: {}, y: {}}\n");

        VirtigoException refusal = Assert.Throws<VirtigoException>(() =>
            HypervisorDemand.Check(new PlayedHypervisor("one", s_boots with { MaxNics = 1 }), EnvironmentDefinition.DemandsOf(spec)));

        Assert.Equal($"{Shop}:1:45: machine a: 2 networks cannot be run by one: at most 1", refusal.Message);
        Assert.Equal(FailureKind.Usage, refusal.Kind);
    }

    private async Task<EnvironmentSpec> ReadAsync(string yaml)
    {
        await File.WriteAllTextAsync(Shop, yaml, Token);
        return await EnvironmentReader.LoadAsync(Shop, Token);
    }

    private async Task<EnvironmentChoice> ChooseAsync(string? given, params IHypervisor[] all)
    {
        EnvironmentSpec spec = await ReadAsync("machines: {a: debian}\n");
        return await EnvironmentChoice.MakeAsync(all, given, trusted: false, spec, [.. EnvironmentDefinition.DemandsOf(spec)], Token);
    }
}
