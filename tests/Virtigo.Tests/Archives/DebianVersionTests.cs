using CsCheck;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class DebianVersionTests
{
    private static readonly Gen<string> Version =
        Gen.Select(Gen.Int[0, 2], Gen.Char["0019.~+aZ-"].Array[0, 6], Gen.Char["0019~+a."].Array[0, 3])
            .Select((epoch, upstream, revision) =>
                (epoch == 0 ? "" : $"{epoch}:") + "1" + new string(upstream) + (revision.Length == 0 ? "" : "-" + new string(revision)))
            .Where(text => DebianVersion.TryParse(text, out _));

    // Each answer is what dpkg --compare-versions says.
    [Theory]
    [InlineData("1.0", "1.0", 0)]
    [InlineData("1.0", "0:1.0", 0)]
    [InlineData("1.0", "1.0-0", 0)]
    [InlineData("1.00", "1.0", 0)]
    [InlineData("0", "0.", -1)]
    [InlineData("1.0-1", "1.0-2", -1)]
    [InlineData("1.9", "1.10", -1)]
    [InlineData("1:0.1", "2.0", 1)]
    [InlineData("1.0~rc1", "1.0", -1)]
    [InlineData("1.0~rc1-1", "1.0-1", -1)]
    [InlineData("1.0~~", "1.0~", -1)]
    [InlineData("1.0~~a", "1.0~", -1)]
    [InlineData("1.0~a", "1.0~", 1)]
    [InlineData("1.0+b1", "1.0", 1)]
    [InlineData("1.0a", "1.0+", -1)]
    [InlineData("1.0a", "1.0", 1)]
    [InlineData("1.0-1+deb13u1", "1.0-1", 1)]
    [InlineData("1.0-1~deb13u1", "1.0-1", -1)]
    [InlineData("6.12.107-1", "6.12.94-1", 1)]
    [InlineData("2.41-12+deb13u4", "2.41-12", 1)]
    [InlineData("1.3.dfsg+really1.3.1-1+b1", "1:1.3.dfsg+really1.3.1-1", -1)]
    [InlineData("10.46-1~deb13u2", "10.46-1", -1)]
    [InlineData("1.2.3", "1.2-3", 1)]
    [InlineData("1-2-3", "1-2-4", -1)]
    [InlineData("7.6p2-4", "7.6-0", 1)]
    [InlineData("1.0.3-3", "1.0-1", 1)]
    [InlineData("1.3", "1.2.2-2", 1)]
    [InlineData("0.10.0+git", "0.10.0", 1)]
    [InlineData("99999999999999999999999", "99999999999999999999998", 1)]
    public void Versions_order_as_dpkg_orders_them(string left, string right, int expected)
    {
        DebianVersion a = DebianVersion.Parse(left);
        DebianVersion b = DebianVersion.Parse(right);
        Assert.Equal(expected, Math.Sign(a.CompareTo(b)));
        Assert.Equal(-expected, Math.Sign(b.CompareTo(a)));
        Assert.Equal(expected == 0, a == b);
        Assert.True(expected != 0 || a.GetHashCode() == b.GetHashCode());
    }

    [Theory]
    [InlineData("")]
    [InlineData("a1")]
    [InlineData("1.0-")]
    [InlineData(":1.0")]
    [InlineData("x:1.0")]
    [InlineData("1.0 2")]
    [InlineData("1.0_2")]
    [InlineData("99999999999:1")]
    public void What_dpkg_refuses_is_refused(string text)
    {
        Assert.False(DebianVersion.TryParse(text, out _));
        Assert.Equal(FailureKind.Archive, Assert.Throws<VirtigoException>(() => DebianVersion.Parse(text)).Kind);
    }

    [Fact]
    public void The_order_is_total_and_agrees_with_equality_and_hashes()
    {
        Gen.Select(Version, Version, Version).Sample(
            (x, y, z) =>
            {
                DebianVersion[] sorted = [.. ((string[])[x, y, z]).Select(DebianVersion.Parse).Order()];
                Assert.True(sorted[0] <= sorted[1] && sorted[1] <= sorted[2] && sorted[0] <= sorted[2]);
                Assert.Equal(-Math.Sign(sorted[0].CompareTo(sorted[2])), Math.Sign(sorted[2].CompareTo(sorted[0])));
                Assert.True(sorted[0] != sorted[1] || sorted[0].GetHashCode() == sorted[1].GetHashCode());
            },
            iter: 5000);
    }

    [Fact]
    public void Any_text_is_read_or_refused()
    {
        Gen.String.Sample(text => DebianVersion.TryParse(text, out DebianVersion? version) && version.ToString() != text.Trim()
            ? throw new InvalidOperationException(text)
            : true, iter: 3000);
    }

    [Fact]
    public void The_epoch_is_left_out_of_file_names()
    {
        Assert.Equal("1.2-3", DebianVersion.Parse("4:1.2-3").WithoutEpoch);
    }
}
