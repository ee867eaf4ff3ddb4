using System.Text;
using CsCheck;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class PackageIndexTests
{
    private const string Sample = """
        Package: nginx
        Version: 1.26-3
        Architecture: amd64
        Source: nginx-src (1.26-2)
        Depends: libc6 (>= 2.41), nginx-common
        Pre-Depends: dpkg
        Provides: httpd, nginx-abi (= 1)
        Description: server
         further
        Filename: pool/main/n/nginx/nginx_1.26-3_amd64.deb
        Size: 1234
        SHA256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

        Package: apache2
        Version: 2.4.65-1
        Architecture: amd64
        Provides: httpd

        Package: nginx
        Version: 1.28-1
        Architecture: amd64

        Package: postgresql
        Version: 17

        """;

    [Fact]
    public void Fields_are_read_from_the_text()
    {
        PackageEntry nginx = Parse(Sample).All[0];

        Assert.Equal(("nginx", "1.26-3", "amd64"), (nginx.Name, nginx.Version.ToString(), nginx.Architecture));
        Assert.Equal(("nginx-src", "1.26-2"), (nginx.Source, nginx.SourceVersion.ToString()));
        Assert.Equal((1234L, "pool/main/n/nginx/nginx_1.26-3_amd64.deb"), (nginx.Size, nginx.Filename));
        Assert.Equal("server\n further", nginx["Description"]);
        Assert.Null(nginx["Kernel-Version"]);
        Assert.Equal(["dpkg", "libc6 (>= 2.41)", "nginx-common"], nginx.Depends.Select(one => one.ToString()));
        Assert.Equal("1.26-3", nginx.Paragraph["version"]);
    }

    [Fact]
    public void Of_several_versions_the_newest_is_found()
    {
        PackageIndex index = Parse(Sample);
        Assert.Equal("1.28-1", index.Find("nginx")!.Version.ToString());
        Assert.Equal(2, index.FindAll("nginx").Count());
        Assert.Null(index.Find("nothing"));
    }

    [Fact]
    public void Providers_are_found_by_what_they_provide()
    {
        Assert.Equal(["nginx", "apache2"], Parse(Sample).Providers("httpd").Select(entry => entry.Name));
        Assert.Empty(Parse(Sample).Providers("nginx"));
    }

    [Theory]
    [InlineData("ngnix", "nginx")]
    [InlineData("nginxx", "nginx")]
    [InlineData("apache", "apache2")]
    [InlineData("postgres", "postgresql")]
    [InlineData("NGINX", "nginx")]
    public void A_mistyped_name_brings_the_right_one(string typed, string meant) => Assert.Equal(meant, Parse(Sample).Near(typed)[0]);

    [Fact]
    public void Nothing_is_suggested_for_what_resembles_nothing() => Assert.Empty(Parse(Sample).Near("zzzzzz"));

    [Fact]
    public void A_bad_field_is_an_error_that_names_package_and_field()
    {
        PackageEntry entry = Parse("Package: a\nVersion: 1\nSize: many\nSHA256: short\n").All[0];
        Assert.Contains("many", Assert.Throws<VirtigoException>(() => entry.Size).Message, StringComparison.Ordinal);
        Assert.Contains("short", Assert.Throws<VirtigoException>(() => entry.Sha256).Message, StringComparison.Ordinal);
        Assert.Contains("\"Filename\"", Assert.Throws<VirtigoException>(() => entry.Filename).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_indices_are_read_or_refused()
    {
        byte[] good = Encoding.UTF8.GetBytes(Sample);
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte).Array[1, 6].Sample(
            changes =>
            {
                byte[] text = [.. good];
                foreach ((int at, byte value) in changes)
                {
                    text[at] = value;
                }

                try
                {
                    PackageIndex index = PackageIndex.Parse(text, "x");
                    _ = index.Providers("httpd").ToList();
                    _ = index.All.Sum(entry => entry.Depends.Count + entry.Paragraph.Fields.Count);
                }
                catch (VirtigoException e)
                {
                    Assert.Equal(FailureKind.Archive, e.Kind);
                }
            },
            iter: 3000);
    }

    private static PackageIndex Parse(string text) => PackageIndex.Parse(Encoding.UTF8.GetBytes(text), "x");
}
