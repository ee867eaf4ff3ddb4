using CsCheck;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class HostAptSourcesTests
{
    [Fact]
    public void One_line_sources_are_read_without_comments_sources_and_disabled_lines()
    {
        IReadOnlyList<AptSource> sources = HostAptSources.ParseList(
            """
            # deb http://off.example/debian trixie main
            deb http://mirror.example/debian trixie main contrib # the mirror
            deb-src http://mirror.example/debian trixie main
            	deb	[ arch=amd64 signed-by=/usr/share/keyrings/x.gpg,/other ]  https://secure.example/debian-security   trixie-security main
            deb [broken http://mirror.example/debian trixie main
            deb not-a-uri trixie main
            deb http://flat.example/ ./
            """,
            "/etc/apt/sources.list");

        Assert.Equal(["http://mirror.example/debian", "https://secure.example/debian-security", "http://flat.example/"],
            sources.Select(source => source.Uri.OriginalString));
        Assert.Equal(["main", "contrib"], sources[0].Components);
        Assert.Equal((4, "/usr/share/keyrings/x.gpg"), (sources[1].Line, sources[1].SignedBy));
        Assert.Equal(["trixie-security"], sources[1].Suites);
    }

    [Fact]
    public void Deb822_sources_are_read_with_every_uri_and_without_disabled_ones()
    {
        IReadOnlyList<AptSource> sources = HostAptSources.ParseDeb822(
            """
            Types: deb deb-src
            # a comment
            URIs: http://one.example/debian http://two.example/debian
            Suites: trixie trixie-updates
            Components: main
            Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp

            Enabled: no
            Types: deb
            URIs: http://off.example/debian
            Suites: trixie
            Components: main

            Types: deb-src
            URIs: http://source.example/debian
            Suites: trixie

            Types: deb
            URIs: http://inline.example/apt
            Suites: stable
            Components: main
            Signed-By:
             -----BEGIN PGP PUBLIC KEY BLOCK-----
             .
             abc
             -----END PGP PUBLIC KEY BLOCK-----
            """,
            "x.sources");

        Assert.Equal(["one.example", "two.example", "inline.example"], sources.Select(source => source.Uri.Host));
        Assert.Equal(["trixie", "trixie-updates"], sources[0].Suites);
        Assert.Equal("/usr/share/keyrings/debian-archive-keyring.pgp", sources[0].SignedBy);
        Assert.Null(sources[2].SignedBy);
        Assert.Equal(1, sources[0].Line);
    }

    [Fact]
    public void The_hosts_mirrors_are_told_apart_from_other_archives()
    {
        string etc = TestArchiveTools.NewFolder();
        Directory.CreateDirectory(Path.Combine(etc, "sources.list.d"));
        File.WriteAllText(Path.Combine(etc, "sources.list"), "# nothing here\n");
        File.WriteAllText(Path.Combine(etc, "sources.list.d", "a.list"), "deb https://packages.example/apt sdk main\n");
        File.WriteAllText(Path.Combine(etc, "sources.list.d", "broken.sources"), "no deb822 at all\n");
        File.WriteAllText(Path.Combine(etc, "sources.list.d", "ignored.save"), "deb http://ignored.example/debian trixie main\n");
        File.WriteAllText(Path.Combine(etc, "sources.list.d", "debian.sources"),
            "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: trixie-security\nComponents: main\n\n"
            + "Types: deb\nURIs: http://mirror.example/debian/\nSuites: trixie\nComponents: main\n");

        IReadOnlyList<AptSource> sources = HostAptSources.Find(etc);

        Assert.Equal(3, sources.Count);
        Assert.Equal("http://mirror.example/debian/", HostAptSources.MainArchive(sources)?.Uri.AbsoluteUri);
        Assert.Equal("http://mirror.example/debian-security", HostAptSources.SecurityArchive(sources)?.Uri.AbsoluteUri);
        Assert.Equal(5 + 1, HostAptSources.MainArchive(sources)?.Line);
    }

    [Fact]
    public void A_host_without_apt_has_no_sources()
    {
        IReadOnlyList<AptSource> sources = HostAptSources.Find("/nonexistent");
        Assert.Empty(sources);
        Assert.Null(HostAptSources.MainArchive(sources));
        Assert.Null(HostAptSources.SecurityArchive(sources));
    }

    [Fact]
    public void A_mirror_of_another_name_is_known_by_its_keyring()
    {
        IReadOnlyList<AptSource> sources =
            HostAptSources.ParseList("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/ftp trixie main", "x");
        Assert.NotNull(HostAptSources.MainArchive(sources));
    }

    [Fact]
    public void Any_list_is_read_without_an_error()
    {
        Gen.Char["deb [=]#:/.\n\tx"].Array[0, 60].Sample(chars => HostAptSources.ParseList(new string(chars), "x").Count >= 0, iter: 5000);
    }
}
