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
    [InlineData("mial", "mail")]
    [InlineData("zzzzzz", "")]
    public void What_was_meant_is_found(string word, string expected) =>
        Assert.Equal(expected, string.Join(' ', NearMatches.Of(word, ["web", "nginx", "postgres", "mail"])));

    [Theory]
    [InlineData("europe/berlin", "Europe/Berlin")]
    [InlineData("America/Berlin_City", "Europe/Berlin_City")]
    [InlineData("America/Berlin", "")]
    public void Case_does_not_count_and_a_long_name_in_another_folder_is_recognised(string word, string expected) =>
        Assert.Equal(expected, string.Join(' ', NearMatches.Of(word, ["Europe/Berlin", "Europe/Berlin_City"], most: 1)));

    [Theory]
    [InlineData("abc", "abc", 0)]
    [InlineData("abc", "acb", 1)]
    [InlineData("abc", "abcd", 1)]
    [InlineData("abc", "xyzw", 4)]
    public void Distance_counts_single_edits_and_swaps_up_to_its_limit(string a, string b, int distance) =>
        Assert.Equal(distance, NearMatches.Distance(a, b, 3));

    [Fact]
    public void Distance_is_the_same_both_ways_and_zero_only_for_the_same_word() =>
        Gen.Select(Gen.String[Gen.Char["abc"], 0, 9], Gen.String[Gen.Char["abc"], 0, 9]).Sample(
            (a, b) => NearMatches.Distance(a, b, 20) is var distance && distance == NearMatches.Distance(b, a, 20)
                && distance == 0 == (a == b) && distance <= Math.Max(a.Length, b.Length),
            iter: 2000);

    [Fact]
    public void A_huge_word_is_not_compared() => Assert.Empty(NearMatches.Of(new string('a', 1_000_000), [new string('a', 1_000_000)]));
}
