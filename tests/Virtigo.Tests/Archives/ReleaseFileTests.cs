using System.Text;
using CsCheck;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class ReleaseFileTests
{
    private const string Hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    private const string Good = $"""
        Origin: Debian
        Suite: stable
        Codename: trixie
        Version: 13.2
        Date: Sat, 08 Nov 2025 10:12:34 UTC
        Valid-Until: Sat, 15 Nov 2025 10:12:34 UTC
        Acquire-By-Hash: yes
        Architectures: all amd64
        Components: main contrib
        SHA256:
         {Hash}     1234 main/binary-amd64/Packages.xz
         {Hash}        7 contrib/Contents-all

        """;

    [Fact]
    public void Names_dates_and_files_are_read()
    {
        ReleaseFile release = Parse(Good);

        Assert.Equal(("trixie", "stable", "13.2", true), (release.Codename, release.Suite, release.Version, release.AcquireByHash));
        Assert.Equal(new DateTimeOffset(2025, 11, 8, 10, 12, 34, TimeSpan.Zero), release.Date);
        Assert.Equal(release.Date.AddDays(7), release.ValidUntil);
        Assert.Equal(["main", "contrib"], release.Components);
        Assert.Equal(1234, release.Require("main/binary-amd64/Packages.xz", "x").Size);
    }

    [Theory]
    [InlineData("Date: Sat, 08 Nov 2025 10:12:34 UTC", "Date: yesterday", "yesterday")]
    [InlineData("Date: Sat", "Datum: Sat", "\"Date\"")]
    [InlineData("SHA256:", "SHA1:", "SHA256")]
    [InlineData(" 1234 ", " -1 ", "hash size path")]
    [InlineData("main/binary-amd64/", "../../etc/", "hash size path")]
    [InlineData(" 0123456789abcdef", " 0123456789abcde", "hash size path")]
    [InlineData("contrib/Contents-all", "main/binary-amd64/Packages.xz", "twice")]
    [InlineData("Components: main", "\nComponents: main", "more than one paragraph")]
    public void A_release_that_cannot_be_relied_on_is_refused(string replace, string by, string expected)
    {
        var e = Assert.Throws<VirtigoException>(() => Parse(Good.Replace(replace, by, StringComparison.Ordinal)));
        Assert.Equal(FailureKind.Archive, e.Kind);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_not_listed_is_named_with_what_there_is()
    {
        var e = Assert.Throws<VirtigoException>(() => Parse(Good).Require("main/binary-riscv64/Packages.xz", "trixie"));
        Assert.Contains("main/binary-riscv64/Packages.xz", e.Message, StringComparison.Ordinal);
        Assert.Contains("all, amd64", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_releases_are_read_or_refused()
    {
        byte[] good = Encoding.UTF8.GetBytes(Good);
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte).Array[1, 4].Sample(
            changes =>
            {
                byte[] text = [.. good];
                foreach ((int at, byte value) in changes)
                {
                    text[at] = value;
                }

                try
                {
                    ReleaseFile.Parse(text, "x");
                }
                catch (VirtigoException e)
                {
                    Assert.Equal(FailureKind.Archive, e.Kind);
                }
            },
            iter: 3000);
    }

    private static ReleaseFile Parse(string text) => ReleaseFile.Parse(Encoding.UTF8.GetBytes(text), "x");
}
