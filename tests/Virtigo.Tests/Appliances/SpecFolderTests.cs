using System.Diagnostics;
using System.Text;
using Virtigo.Appliances;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class SpecFolderTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-folder-").FullName;

    public SpecFolderTests()
    {
        Directory.CreateDirectory(In("spec"));
        File.WriteAllText(Path.Combine(_home, "secret"), "hunter2");
        Directory.CreateDirectory(Path.Combine(_home, "outside"));
        File.WriteAllText(Path.Combine(_home, "outside", "secret"), "hunter2");
    }

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private string In(string path) => Path.Combine(_home, path == "spec" ? "spec" : Path.Combine("spec", path));

    private SpecFolder Folder => SpecFolder.Of(In("web.yml"));

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(path))!);
        File.WriteAllText(In(path), text);
    }

    private string Refused(string path)
    {
        VirtigoException thrown = Assert.Throws<VirtigoException>(() => Folder.ReadTree(path, "/x", "web.yml:3:9"));
        Assert.Equal(FailureKind.Usage, thrown.Kind);
        Assert.StartsWith("web.yml:3:9: ", thrown.Message);
        Assert.DoesNotContain("hunter2", thrown.ToString());
        Assert.Throws<VirtigoException>(() => Folder.ReadFile(path, "web.yml:3:9"));
        return thrown.Message;
    }

    [Fact]
    public void A_tree_comes_in_order_with_plain_modes_and_its_links_as_links()
    {
        Write("site/b.html", "b");
        Write("site/a/run.sh", "#!/bin/sh\n");
        File.SetUnixFileMode(In("site/a/run.sh"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        File.SetUnixFileMode(In("site/b.html"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherWrite);
        File.CreateSymbolicLink(In("site/c"), "/etc/shadow");
        File.CreateSymbolicLink(In("site/d"), Path.Combine(_home, "outside"));
        Assert.Equal(
            [
                "/srv Folder 755 ", "/srv/a Folder 755 ", "/srv/a/run.sh File 755 #!/bin/sh\n", "/srv/b.html File 644 b", "/srv/c Link 0 /etc/shadow",
                $"/srv/d Link 0 {_home}/outside",
            ],
            Folder.ReadTree("site", "/srv", "p").Select(entry =>
                $"{entry.Path} {entry.Kind} {Convert.ToString((int)entry.Mode, 8)} {Encoding.UTF8.GetString(entry.Content.Span)}"));
        Assert.Equal("/a", Folder.ReadTree("site", "/", "p")[0].Path);
    }

    [Theory]
    [InlineData("../secret")]
    [InlineData("a/../../secret")]
    [InlineData("/etc/passwd")]
    [InlineData("~/secret")]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("./secret")]
    [InlineData("a//b")]
    [InlineData("a\nb")]
    public void A_path_that_is_not_plainly_inside_is_refused(string path)
    {
        Write("a/b", "x");
        Refused(path);
    }

    [Fact]
    public void Links_that_lead_out_are_refused_at_every_place_of_the_path_and_those_inside_are_followed()
    {
        Write("real/file", "inside");
        File.CreateSymbolicLink(In("file"), "../secret");
        File.CreateSymbolicLink(In("folder"), Path.Combine(_home, "outside"));
        File.CreateSymbolicLink(In("twice"), "folder");
        File.CreateSymbolicLink(In("self"), "self");
        File.CreateSymbolicLink(In("up"), ".");
        File.CreateSymbolicLink(In("beside"), Path.Combine(_home, "spec-other"));
        Directory.CreateDirectory(Path.Combine(_home, "spec-other"));
        File.CreateSymbolicLink(In("good"), "real/file");
        Assert.Contains("leads out", Refused("file"));
        Assert.Contains("leads out", Refused("folder"));
        Assert.Contains("leads out", Refused("folder/secret"));
        Assert.Contains("leads out", Refused("twice/secret"));
        Assert.Contains("leads out", Refused("beside"));
        Assert.Contains("cannot be read", Refused("self"));
        Assert.Contains("leads out", Refused("up"));
        Assert.Equal("inside", Encoding.UTF8.GetString(Folder.ReadFile("good", "p")));
        Assert.Equal("inside", Encoding.UTF8.GetString(Folder.ReadFile("up/up/good", "p")));
    }

    [Fact]
    public async Task What_is_no_regular_file_is_refused_without_waiting_for_it()
    {
        Directory.CreateDirectory(In("tree"));
        using (Process made = Process.Start("mkfifo", [In("pipe"), In("tree/pipe")]))
        {
            await made.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        Assert.Contains("no regular file", await Task.Run(() => Refused("pipe"), TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        Assert.Contains("no regular file", Assert.Throws<VirtigoException>(() => Folder.ReadTree("tree", "/x", "p")).Message);
        Assert.Contains("cannot be read", Assert.Throws<VirtigoException>(() => Folder.ReadFile("tree", "p")).Message);
        Assert.Contains("cannot be read", Refused("missing"));
    }

    [Fact]
    public void What_is_too_large_is_refused_alone_and_together()
    {
        using (FileStream sparse = File.Create(In("huge")))
        {
            sparse.SetLength(1L << 40);
        }

        Assert.Contains("is too much", Refused("huge").Replace("is larger than 128 MiB", "is too much", StringComparison.Ordinal));
        Write("small", "12345");
        Assert.Contains("is larger than 4 B", Assert.Throws<VirtigoException>(() => Folder.ReadFile("small", "p", 4)).Message);
        using (FileStream half = File.Create(In("half")))
        {
            half.SetLength(70L << 20);
        }

        SpecFolder folder = Folder;
        folder.ReadFile("half", "p");
        Assert.Contains("is too much", Assert.Throws<VirtigoException>(() => folder.ReadFile("half", "p")).Message);
    }

    [Fact]
    public void Too_many_files_are_refused()
    {
        Directory.CreateDirectory(In("many"));
        for (int i = 0; i <= SpecFolder.MaxEntries; i++)
        {
            File.CreateSymbolicLink(In($"many/{i}"), "x");
        }

        Assert.Contains("one file too many", Assert.Throws<VirtigoException>(() => Folder.ReadTree("many", "/x", "p")).Message);
    }

    [Fact]
    public void A_name_that_an_archive_cannot_hold_is_told()
    {
        Write("tree/" + new string('n', 101), "x");
        Assert.False(TargetArchive.Fits("/x/" + new string('n', 101)));
        Assert.NotNull(ValueChecks.TargetPath("/x/" + new string('n', 101)));
    }
}
