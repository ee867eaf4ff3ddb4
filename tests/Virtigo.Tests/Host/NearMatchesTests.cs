using CsCheck;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Host;

public sealed class NearMatchesTests
{
    [Theory]
    [InlineData("wbe", "web")]
    [InlineData("ngix", "nginx")]
    [InlineData("post", "postgres")]
    [InlineData("zzzzzz", "")]
    public void What_was_meant_is_found(string word, string expected) =>
        Assert.Equal(expected, string.Join(' ', NearMatches.Of(word, ["web", "nginx", "postgres", "mail"])));

    [Fact]
    public void Distance_is_the_same_both_ways_and_zero_only_for_the_same_word() =>
        Gen.Select(Gen.String[Gen.Char["abc"], 0, 8], Gen.String[Gen.Char["abc"], 0, 8]).Sample(
            (a, b) => NearMatches.Distance(a, b) == NearMatches.Distance(b, a) && NearMatches.Distance(a, b) == 0 == (a == b),
            iter: 2000);

    [Fact]
    public void A_huge_word_is_not_compared() => Assert.Empty(NearMatches.Of(new string('a', 1_000_000), [new string('a', 1_000_000)]));
}
