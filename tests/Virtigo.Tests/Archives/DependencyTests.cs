using CsCheck;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class DependencyTests
{
    [Fact]
    public void Alternatives_versions_qualifiers_and_restrictions_are_read()
    {
        IReadOnlyList<Dependency> all = Dependency.Parse("libc6-udeb (>= 2.40), a:any | b (<< 1:2~), c [amd64], d (= 1) [i386] <!nocheck>,");

        Assert.Equal(["libc6-udeb (>= 2.40)", "a:any | b (<< 1:2~)", "c", "d (= 1)"], all.Select(one => one.ToString()));
        Assert.Equal("any", all[1].Alternatives[0].Architecture);
    }

    [Theory]
    [InlineData(">=", "1.0", true)]
    [InlineData(">>", "1.0", false)]
    [InlineData("=", "1.0-0", true)]
    [InlineData("<<", "0.9", true)]
    [InlineData("<=", "1.1", false)]
    public void A_relation_accepts_the_versions_it_says(string op, string version, bool accepted)
    {
        DependencyAlternative relation = Dependency.Parse($"a ({op} 1.0)")[0].Alternatives[0];
        Assert.Equal(accepted, relation.Accepts(DebianVersion.Parse(version)));
        Assert.False(relation.Accepts(null));
    }

    [Theory]
    [InlineData("a (>= )")]
    [InlineData("a (1.0)")]
    [InlineData("a (>=< 1)")]
    [InlineData("a (= 1")]
    [InlineData("a | ")]
    [InlineData("a b")]
    [InlineData("${shlibs:Depends}")]
    public void What_is_no_relation_is_refused(string text) =>
        Assert.Equal(FailureKind.Archive, Assert.Throws<VirtigoException>(() => Dependency.Parse(text)).Kind);

    [Fact]
    public void Any_text_is_read_or_refused()
    {
        Gen.Char["ab |,:()[]<>=1."].Array[0, 30].Sample(
            chars =>
            {
                try
                {
                    Dependency.Parse(new string(chars));
                }
                catch (VirtigoException e)
                {
                    Assert.Equal(FailureKind.Archive, e.Kind);
                }
            },
            iter: 5000);
    }
}
