using Virtigo.Cli.Output;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class HypervisorCatalogTests
{
    private static readonly IReadOnlyList<IHypervisor> s_all = HypervisorCatalog.All(new HostPaths("/c", "/d", "/s", "/e", "/r"));

    [Fact]
    public void Every_no_has_its_reason_and_only_a_no_has_one()
    {
        foreach (IHypervisor hypervisor in s_all)
        {
            IEnumerable<string> missing = HypervisorFeature.All.Where(feature => !feature.IsIn(hypervisor.Capabilities)).Select(feature => feature.Name);
            Assert.Equal(missing.Order(), hypervisor.Capabilities.Reasons.Keys.Order());
            Assert.All(hypervisor.Capabilities.Reasons.Values, reason => Assert.Matches(@"\A[^\n]{10,200}[^.\n]\z", reason));
        }
    }

    [Fact]
    public void The_page_shows_the_matrix_as_it_is()
    {
        var matrix = new HypervisorMatrix([.. s_all.Select(one => (one.Name, one.Capabilities, new HypervisorPresence("1", null, null)))]);
        string table = string.Join('\n', matrix.Text());
        string page = Path.Combine(Repository.Root, "docs", "hypervisors.md");
        string text = File.ReadAllText(page);
        if (Environment.GetEnvironmentVariable("VIRTIGO_WRITE_GOLDEN") == "1")
        {
            int begin = text.IndexOf("```text\n", StringComparison.Ordinal);
            int end = text.IndexOf("```\n", begin + 1, StringComparison.Ordinal);
            File.WriteAllText(page, text[..begin] + "```text\n" + table + "\n" + text[end..]);
        }

        Assert.Contains(table, File.ReadAllText(page), StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_page_shows_the_same_matrix_as_it_was_on_one_host()
    {
        var matrix = new HypervisorMatrix([.. s_all.Select(one => (one.Name, one.Capabilities, new HypervisorPresence("1", null, null)))]);
        string readme = File.ReadAllText(Path.Combine(Repository.Root, "README.md"));
        string[] rows = [.. matrix.Text().Take(HypervisorFeature.All.Count + 2)];

        Assert.Contains(rows[0] + "\nusable here ", readme, StringComparison.Ordinal);
        Assert.Contains(string.Join('\n', rows[2..]), readme, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("", true)]
    [InlineData("qemu+ssh://host/system", false)]
    public void Which_libvirt_it_is_can_be_said(string? uri, bool hasSerials)
    {
        IHypervisor libvirt = HypervisorCatalog.All(new HostPaths("/c", "/d", "/s", "/e", "/r"), uri).Single(one => one.Name == "libvirt");

        Assert.Equal(hasSerials, libvirt.Capabilities.MaxSerials > 0);
        Assert.Throws<VirtigoException>(() => HypervisorCatalog.All(new HostPaths("/c", "/d", "/s", "/e", "/r"), "esx://host"));
    }

    [Fact]
    public void Names_are_told_apart_and_everything_can_be_done_by_one() =>
        Assert.Multiple(
            () => Assert.Equal(s_all.Count, s_all.Select(hypervisor => hypervisor.Name).Distinct().Count()),
            () => Assert.All(HypervisorFeature.All, feature => Assert.Contains(s_all, hypervisor => feature.IsIn(hypervisor.Capabilities))));
}
