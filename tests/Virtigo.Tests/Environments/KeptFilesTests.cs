using System.Diagnostics;
using Virtigo.Environments;
using Virtigo.Machines;
using Virtigo.Tests.Machines;
using Xunit;

namespace Virtigo.Tests.Environments;

/// <summary>Copies through a control socket and a stream channel, to the program that runs in guests, run here: its paths are those of a folder.</summary>
public sealed class KeptFilesTests : IAsyncLifetime
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");
    private readonly FakeKept _target = new();
    private ControlServer _server = null!;
    private RunningEnvironment _shop = null!;
    private RealGuestSide _guest = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string GuestFolder => Path.Combine(_folder.FullName, "guest");

    private string HostFolder => Path.Combine(_folder.FullName, "host");

    public async ValueTask InitializeAsync()
    {
        _guest = await RealGuestSide.StartAsync(Token);
        _target.Starts = _guest.Shell.StartAsync;
        Directory.CreateDirectory(GuestFolder);
        Directory.CreateDirectory(HostFolder);
        _server = new ControlServer(KeptPlace.Socket(_folder.FullName), _target, TimeProvider.System);
        _shop = new RunningEnvironment(new KeptInfo("shop", "/shop.yml", 1, DateTimeOffset.UnixEpoch, [FakeKept.Machine]), _folder.FullName);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _guest.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_tree_goes_in_and_comes_out_with_modes_times_links_and_holes()
    {
        string tree = Tree(Path.Combine(HostFolder, "site"));
        await CopyAsync(Here("site"), There(""));
        Assert.Equal(Listed(tree), Listed(Path.Combine(GuestFolder, "site")));

        await CopyAsync(There("site"), Here("back"));
        Assert.Equal(Listed(tree), Listed(Path.Combine(HostFolder, "back")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.Combine(HostFolder, "back")));
        Assert.InRange(await BlocksAsync(Path.Combine(HostFolder, "back", "sparse")), 0, 4096);
        Assert.InRange(await BlocksAsync(Path.Combine(GuestFolder, "site", "sparse")), 0, 4096);

        await CopyAsync(There("site"), There("again"));
        Assert.Equal(Listed(tree), Listed(Path.Combine(GuestFolder, "again")));
        NoDrafts();
    }

    [Fact]
    public async Task A_link_that_is_named_itself_is_followed()
    {
        Write("host/file", "content");
        File.SetUnixFileMode(Path.Combine(HostFolder, "file"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.CreateSymbolicLink(Path.Combine(HostFolder, "link"), "file");
        await CopyAsync(Here("link"), There(""));
        string copy = Path.Combine(GuestFolder, "link");
        Assert.Equal(("content", null, UnixFileMode.UserRead | UnixFileMode.UserWrite), (File.ReadAllText(copy), new FileInfo(copy).LinkTarget, File.GetUnixFileMode(copy)));
        File.CreateSymbolicLink(Path.Combine(GuestFolder, "second"), "link");
        await CopyAsync(There("second"), Here("back"));
        Assert.Equal(("content", null), (File.ReadAllText(Path.Combine(HostFolder, "back")), new FileInfo(Path.Combine(HostFolder, "back")).LinkTarget));
    }

    [Fact]
    public async Task A_large_file_goes_both_ways_and_is_counted()
    {
        byte[] large = new byte[5_000_000];
        new Random(1).NextBytes(large);
        await File.WriteAllBytesAsync(Path.Combine(HostFolder, "large"), large, Token);
        var counted = new Counted();
        CopyResult into = Assert.Single(await KeptFiles.CopyAsync([Here("large")], There("renamed"), counted, Token).WaitAsync(s_limit, Token));
        Assert.Equal($"shop/server:{GuestFolder}/renamed", into.Target.ToString());
        Assert.InRange(counted.Most, large.Length, large.Length + 20_000);
        await CopyAsync(There("renamed"), Here("back"));
        Assert.Equal(large, await File.ReadAllBytesAsync(Path.Combine(HostFolder, "back"), Token));
        await CopyAsync(There("renamed"), There("third"));
        Assert.Equal(large, await File.ReadAllBytesAsync(Path.Combine(GuestFolder, "third"), Token));
    }

    [Fact]
    public async Task Folders_that_exist_are_added_to_and_files_replaced_on_both_sides()
    {
        Write("host/site/a", "new a");
        Write("host/site/sub/b", "new b");
        Write("guest/site/a", "old a");
        Write("guest/site/sub/c", "old c");
        await CopyAsync(Here("site"), There(""));
        Assert.Equal(["a: new a", "sub/b: new b", "sub/c: old c"], Contents(Path.Combine(GuestFolder, "site")));

        Write("host/sub/c", "mine");
        Write("host/a", "mine");
        Write("host/keep", "mine");
        await CopyAsync(There("site/."), Here(""));
        Assert.Equal("new a", File.ReadAllText(Path.Combine(HostFolder, "a")));
        Assert.Equal("old c", File.ReadAllText(Path.Combine(HostFolder, "sub", "c")));
        Assert.Equal("mine", File.ReadAllText(Path.Combine(HostFolder, "keep")));
        NoDrafts();
    }

    [Fact]
    public async Task Nothing_from_a_machine_is_written_through_a_link_of_the_hosts_and_what_is_in_the_way_spares_all()
    {
        Write("guest/site/a", "from the guest");
        Write("guest/site/sub/b", "from the guest");
        Write("elsewhere/x", "mine");
        Write("host/site/a", "mine");
        Directory.CreateSymbolicLink(Path.Combine(HostFolder, "site", "sub"), Path.Combine(_folder.FullName, "elsewhere"));
        VirtigoException told = await Assert.ThrowsAsync<VirtigoException>(() => CopyAsync(There("site"), Here("")));
        Assert.Equal($"{HostFolder}/site/sub is in the way: it is no folder, and what comes is one.", told.Message);
        Assert.Equal(["x: mine"], Contents(Path.Combine(_folder.FullName, "elsewhere")));
        Assert.Equal("mine", File.ReadAllText(Path.Combine(HostFolder, "site", "a")));

        File.Delete(Path.Combine(HostFolder, "site", "sub"));
        File.Delete(Path.Combine(HostFolder, "site", "a"));
        File.CreateSymbolicLink(Path.Combine(HostFolder, "site", "a"), Path.Combine(_folder.FullName, "elsewhere", "x"));
        await CopyAsync(There("site"), Here(""));
        Assert.Equal(["x: mine"], Contents(Path.Combine(_folder.FullName, "elsewhere")));
        Assert.Equal(["a: from the guest", "sub/b: from the guest"], Contents(Path.Combine(HostFolder, "site")));
        NoDrafts();
    }

    [Fact]
    public async Task What_a_machine_cannot_take_or_does_not_have_is_told()
    {
        Write("host/a", "a");
        Assert.Contains("there is no folder", await ToldAsync(Here("a"), There("no/such")));
        Assert.Equal($"There is no file or folder shop/server:{GuestFolder}/none.", await ToldAsync(There("none"), Here("")));
        Directory.CreateDirectory(Path.Combine(GuestFolder, "a"));
        Write("guest/f", "f");
        Assert.Equal($"shop/server:{GuestFolder}/f is no folder.", await ToldAsync(Here(""), There("f")));
        Assert.Contains("There is no folder", await ToldAsync(There("f"), Here("no/such")));
        Assert.Contains("is a folder", await ToldAsync(Here("a"), There("")));
        Assert.Contains("is not absolute", await ToldAsync(new CopyPlace(_shop, FakeKept.Machine, "f"), Here("")));
        NoDrafts();
    }

    [Fact]
    public async Task A_copy_that_is_given_up_leaves_nothing_and_what_was_there_stays()
    {
        Write("guest/big", "as it was");
        await using (FileStream big = File.Create(Path.Combine(HostFolder, "big")))
        {
            byte[] piece = new byte[1 << 20];
            Array.Fill(piece, (byte)1);
            for (int i = 0; i < 60; i++)
            {
                await big.WriteAsync(piece, Token);
            }
        }

        foreach ((CopyPlace from, CopyPlace to) in ((CopyPlace, CopyPlace)[])[(Here("big"), There("big")), (There("copy"), Here("out")), (There("copy"), There("big"))])
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
            var enough = new Counted { Reached = () => stop.Cancel() };
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => KeptFiles.CopyAsync([from], to, enough, stop.Token).WaitAsync(s_limit, Token));
            NoDrafts();
            Assert.Equal("as it was", File.ReadAllText(Path.Combine(GuestFolder, "big")));
            Assert.False(File.Exists(Path.Combine(HostFolder, "out")));
            File.Copy(Path.Combine(HostFolder, "big"), Path.Combine(GuestFolder, "copy"), overwrite: true);
        }
    }

    [Theory]
    [InlineData("/a/x", "File", "/b", "Folder", "/b/x")]
    [InlineData("/a/x", "File", "/b/", "Folder", "/b/x")]
    [InlineData("/a/x", "File", "/", "Folder", "/x")]
    [InlineData("/a/x", "File", "/b/y", "None", "/b/y")]
    [InlineData("/a/x", "File", "/b/y", "File", "/b/y")]
    [InlineData("/a/d", "Folder", "/b", "Folder", "/b/d")]
    [InlineData("/a/d/", "Folder", "/b", "Folder", "/b/d")]
    [InlineData("/a/d/.", "Folder", "/b", "Folder", "/b")]
    [InlineData("/a/d/.", "Folder", "/b/new", "None", "/b/new")]
    [InlineData("/a/d", "Folder", "/b/new/", "None", "/b/new")]
    [InlineData("/", "Folder", "/b", "Folder", "/b")]
    [InlineData("/a/d/..", "Folder", "/b", "Folder", "/b")]
    public void A_source_becomes_what_cp_would_make_of_it(string source, string what, string target, string there, string expected)
    {
        (CopyPlace from, bool folder, CopyPlace to) = KeptFiles.Plan(new CopyPlace(_shop, "server", source), Enum.Parse<PathKind>(what),
            new CopyPlace(null, null, target), Enum.Parse<PathKind>(there), 1);
        Assert.Equal((expected, what == "Folder"), (to.Path, folder));
        Assert.False(from.Path.Length > 1 && from.Path.EndsWith('/'));
    }

    [Theory]
    [InlineData("/a/x", "None", "/b", "Folder", 1, "There is no file or folder /a/x.")]
    [InlineData("/a/x/", "File", "/b", "Folder", 1, "There is no folder /a/x/.")]
    [InlineData("/a/x", "File", "/b/", "None", 1, "There is no folder shop/server:/b/.")]
    [InlineData("/a/x", "File", "/b/", "File", 1, "shop/server:/b/ is no folder.")]
    [InlineData("/a/d", "Folder", "/b", "File", 1, "shop/server:/b is no folder.")]
    [InlineData("/a/x", "File", "/b", "None", 2, "shop/server:/b is no folder, and 2 files or folders are to go there.")]
    [InlineData("/a/x", "File", "/b", "File", 3, "shop/server:/b is no folder, and 3 files or folders are to go there.")]
    public void What_cp_would_refuse_is_refused_before_anything_is_copied(string source, string what, string target, string there, int sources, string told) =>
        Assert.Equal(told, Assert.Throws<VirtigoException>(() => KeptFiles.Plan(new CopyPlace(null, null, source), Enum.Parse<PathKind>(what),
            new CopyPlace(_shop, "server", target), Enum.Parse<PathKind>(there), sources)).Message);

    [Fact]
    public void A_folder_is_not_copied_into_itself_and_files_of_the_host_are_left_to_cp()
    {
        var folder = new CopyPlace(_shop, "server", "/srv");
        Assert.EndsWith("cannot be copied into itself.", Assert.Throws<VirtigoException>(() =>
            KeptFiles.Plan(folder, PathKind.Folder, new CopyPlace(_shop, "server", "/srv/a/b"), PathKind.None, 1)).Message, StringComparison.Ordinal);
        Assert.Equal("/srv2", KeptFiles.Plan(folder, PathKind.Folder, new CopyPlace(_shop, "server", "/srv2"), PathKind.None, 1).To.Path);
        Assert.StartsWith("Neither a nor b is in a machine.", Assert.Throws<VirtigoException>(() =>
            KeptFiles.Plan(new CopyPlace(null, null, "a"), PathKind.File, new CopyPlace(null, null, "b"), PathKind.None, 1)).Message, StringComparison.Ordinal);
    }

    private static string Tree(string path)
    {
        Directory.CreateDirectory(Path.Combine(path, "sub", "empty"));
        File.WriteAllText(Path.Combine(path, "page"), "hello");
        File.WriteAllText(Path.Combine(path, ".hidden"), "");
        File.WriteAllText(Path.Combine(path, "sub", "it's a \"name\"\n"), "odd");
        File.WriteAllText(Path.Combine(path, "-rf"), "dash");
        File.SetUnixFileMode(Path.Combine(path, "page"), UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.GroupRead);
        File.SetLastWriteTimeUtc(Path.Combine(path, "page"), new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc));
        File.CreateSymbolicLink(Path.Combine(path, "sub", "link"), "../page");
        Directory.CreateSymbolicLink(Path.Combine(path, "folderlink"), "sub");
        using (FileStream sparse = File.Create(Path.Combine(path, "sparse")))
        {
            sparse.SetLength(300_000_000);
            sparse.Position = 200_000_000;
            sparse.Write("middle"u8);
        }

        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    private static string[] Listed(string path) =>
    [
        .. new DirectoryInfo(path).EnumerateFileSystemInfos("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
            .Select(info => $"{Path.GetRelativePath(path, info.FullName)} {info.LinkTarget ?? $"{info.UnixFileMode}"} "
                + (info is FileInfo { LinkTarget: null } file ? $"{file.Length} {new DateTimeOffset(file.LastWriteTimeUtc).ToUnixTimeSeconds()}" : ""))
            .Order(StringComparer.Ordinal),
    ];

    private static string[] Contents(string path) =>
        [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(file => $"{Path.GetRelativePath(path, file)}: {File.ReadAllText(file)}")];

    private static async Task<long> BlocksAsync(string path)
    {
        using Process stat = Process.Start(new ProcessStartInfo("stat", ["-c", "%b", path]) { RedirectStandardOutput = true })!;
        return long.Parse(await stat.StandardOutput.ReadToEndAsync(Token), System.Globalization.CultureInfo.InvariantCulture);
    }

    private void Write(string name, string text)
    {
        string path = Path.Combine(_folder.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    private void NoDrafts() => Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(_folder.FullName, "*", SearchOption.AllDirectories),
        path => path.Contains("virtigo-", StringComparison.Ordinal));

    private CopyPlace Here(string name) => new(null, null, Path.Combine(HostFolder, name));

    private CopyPlace There(string name) => new(_shop, FakeKept.Machine, $"{GuestFolder}/{name}");

    private static Task<IReadOnlyList<CopyResult>> CopyAsync(CopyPlace from, CopyPlace to) => KeptFiles.CopyAsync([from], to, null, Token).WaitAsync(s_limit, Token);

    private static async Task<string> ToldAsync(CopyPlace from, CopyPlace to) => (await Assert.ThrowsAsync<VirtigoException>(() => CopyAsync(from, to))).Message;

    private sealed class Counted : IProgress<CopyProgress>
    {
        public long Most { get; private set; }

        public Action? Reached { get; init; }

        public void Report(CopyProgress value)
        {
            Most = value.Bytes;
            if (value.Bytes > 3_000_000)
            {
                Reached?.Invoke();
            }
        }
    }
}
