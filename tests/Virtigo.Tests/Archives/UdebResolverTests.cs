using System.Text;
using CsCheck;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class UdebResolverTests
{
    private const string Kernel = "6.12.48+deb13-amd64";

    [Fact]
    public void Dependencies_come_before_what_needs_them_and_only_once()
    {
        PackageIndex index = Index("a|Depends: b, c", "b|Depends: c", "c|Pre-Depends: d", "d|");
        Assert.Equal(["d", "c", "b", "a"], Resolve(index, ["a", "b"]));
    }

    [Fact]
    public void What_the_initrd_holds_is_left_out_with_what_it_provides()
    {
        PackageIndex index = Index("a|Depends: libc6-udeb (>= 2.41), crypto", "libc6-udeb|", "ssl|Provides: crypto");
        Assert.Equal(["a"], Resolve(index, ["a", "libc6-udeb"], "libc6-udeb", "crypto"));
    }

    [Fact]
    public void The_first_alternative_that_exists_is_taken_unless_one_is_there()
    {
        PackageIndex index = Index("a|Depends: x ¦ b ¦ c", "b|", "c|");
        Assert.Equal(["b", "a"], Resolve(index, ["a"]));
        Assert.Equal(["c", "a"], Resolve(index, ["c", "a"]));
    }

    [Fact]
    public void Of_several_providers_the_wanted_then_the_most_important_is_taken()
    {
        PackageIndex index = Index("a|Depends: mirror", "b|Provides: mirror|Priority: optional", "c|Provides: mirror|Priority: standard",
            "d|Provides: mirror|Priority: extra");
        Assert.Equal(["c", "a"], Resolve(index, ["a"]));
        Assert.Equal(["d", "a"], Resolve(index, ["a", "d"]));
    }

    [Fact]
    public void Only_components_of_the_running_kernel_are_taken()
    {
        PackageIndex index = Index("partman|Depends: ext4-modules", "ext4-other-di|Provides: ext4-modules|Kernel-Version: 6.12.94+deb13-amd64",
            $"ext4-this-di|Provides: ext4-modules|Kernel-Version: {Kernel}");
        Assert.Equal(["ext4-this-di", "partman"], Resolve(index, ["partman"]));
        Assert.Equal(["6.12.48+deb13-amd64", "6.12.94+deb13-amd64"], UdebResolver.KernelVersions(index));
    }

    [Fact]
    public void A_kernel_the_archive_has_no_modules_for_is_explained()
    {
        PackageIndex index = Index("partman|Depends: ext4-modules", "ext4-di|Provides: ext4-modules|Kernel-Version: 6.12.94+deb13-amd64");
        var e = Assert.Throws<VirtigoException>(() => Resolve(index, ["partman"]));
        Assert.Equal(FailureKind.Archive, e.Kind);
        Assert.Contains(Kernel, e.Message, StringComparison.Ordinal);
        Assert.Contains("6.12.94+deb13-amd64", e.Message, StringComparison.Ordinal);
        Assert.Contains("partman", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_component_is_named_with_near_ones()
    {
        var e = Assert.Throws<VirtigoException>(() => Resolve(Index("partman-ext3|", "a|Depends: nothing-like-it"), ["partman-etx3"]));
        Assert.Contains("\"partman-etx3\"", e.Message, StringComparison.Ordinal);
        Assert.Contains("partman-ext3", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Components_made_for_other_kinds_of_machines_are_left_out()
    {
        PackageIndex index = Index("a|Provides: boot|Subarchitecture: rpi", "b|Provides: boot|Subarchitecture: generic efi");
        Assert.Equal(["b"], Names(UdebResolver.Resolve(index, ["boot"], new HashSet<string>(), Kernel, "efi")));
    }

    [Fact]
    public void Standard_components_are_those_of_the_kernel_with_priority()
    {
        PackageIndex index = Index("a|Priority: standard", "b|Priority: optional", $"c|Priority: required|Kernel-Version: {Kernel}",
            "d|Priority: standard|Kernel-Version: 1.0");
        Assert.Equal(["a", "c"], UdebResolver.Standard(index, Kernel));
    }

    [Fact]
    public void Any_graph_cycles_included_is_closed_and_chosen_once()
    {
        Gen.Int[0, 19].Array[0, 4].Array[20].Sample(
            graph =>
            {
                PackageIndex index = Index([.. graph.Select((needs, i) => $"p{i}|Depends: {string.Join(", ", needs.Select(n => $"p{n}").DefaultIfEmpty("p0"))}")]);
                string[] chosen = Resolve(index, ["p3"]);
                Assert.Equal(chosen.Length, chosen.Distinct().Count());
                Assert.All(chosen, name => Assert.All(index.Find(name)!.Depends, need => Assert.Contains(need.Alternatives[0].Name, chosen)));
            },
            iter: 300);
    }

    [Fact]
    public void A_chain_of_any_length_does_not_exhaust_the_stack()
    {
        PackageIndex index = Index([.. Enumerable.Range(0, 20_000).Select(i => $"p{i}|Depends: p{i + 1}"), "p20000|"]);
        Assert.Equal(20_001, Resolve(index, ["p0"]).Length);
    }

    private static string[] Resolve(PackageIndex index, string[] wanted, params string[] present) =>
        Names(UdebResolver.Resolve(index, wanted, present.ToHashSet(), Kernel));

    private static string[] Names(IEnumerable<PackageEntry> entries) => [.. entries.Select(entry => entry.Name)];

    private static PackageIndex Index(params string[] packages) => PackageIndex.Parse(
        Encoding.UTF8.GetBytes(string.Join('\n', packages.Select(package =>
            $"Package: {package.Split('|')[0]}\nVersion: 1\n{string.Concat(package.Split('|')[1..].Where(f => f.Length > 0).Select(f => f + "\n"))}"))
            .Replace('¦', '|')),
        "udebs");
}
