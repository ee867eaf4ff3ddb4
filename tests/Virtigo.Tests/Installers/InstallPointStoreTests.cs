using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class InstallPointStoreTests : IDisposable
{
    private static readonly DateTimeOffset s_today = new(2030, 5, 17, 12, 0, 0, TimeSpan.Zero);
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("virtigo-points");
    private readonly InstallPointStore _store;
    private readonly string _draft;

    public InstallPointStoreTests()
    {
        string Below(string name) => Path.Combine(_root.FullName, name);
        _store = new InstallPointStore(new HostPaths(Below("cache"), Below("data"), Below("state"), Below("config"), Below("run")));
        _draft = Directory.CreateDirectory(Below("draft")).FullName;
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Disk => Path.Combine(_draft, "disk.qcow2");

    private string Points => Path.Combine(_root.FullName, "cache", "install-points");

    public void Dispose() => _root.Delete(recursive: true);

    [Fact]
    public async Task What_was_kept_is_found_again_and_taken_as_it_was()
    {
        InstallPoint kept = await KeepAsync("a", "way", s_today);
        await File.WriteAllTextAsync(Disk, "went on", Token);

        using InstallPointTurn turn = await EnterAsync("a");
        await turn.TakeAsync([Disk], _draft, s_today, Token);

        Assert.Equal(kept.Fetched, turn.Point!.Fetched);
        Assert.Equal("disk a", await File.ReadAllTextAsync(Disk, Token));
        Assert.Equal("log a", await File.ReadAllTextAsync(Path.Combine(_draft, DebianInstall.SyslogName), Token));
        Assert.Equal("state a", await File.ReadAllTextAsync(turn.StatePath, Token));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.GetDirectoryName(turn.StatePath)!));
    }

    [Fact]
    public async Task What_was_begun_and_not_kept_is_gone_and_what_was_there_before_stays()
    {
        await KeepAsync("a", "way", s_today);
        using (InstallPointTurn turn = await EnterAsync("a"))
        {
            await File.WriteAllTextAsync(turn.Begin(), "half", Token);
        }

        using InstallPointTurn next = await EnterAsync("a");
        Assert.Equal("state a", await File.ReadAllTextAsync(next.StatePath, Token));
        Assert.Equal([Key("a")], Directory.GetDirectories(Points).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_second_build_of_the_same_way_waits_and_finds_what_the_first_made()
    {
        InstallPointTurn first = await EnterAsync("a");
        bool waited = false;
        Task<InstallPointTurn> second = _store.EnterAsync(Key("a"), () => waited = true, Token);
        await KeepAsync(first, "a", "way", s_today);
        Assert.True(waited);
        Assert.False(second.IsCompleted);

        first.Dispose();

        using InstallPointTurn turn = await second;
        Assert.Equal("way", turn.Point!.Way);
    }

    [Fact]
    public async Task A_turn_ends_once_and_takes_nothing_of_the_next_with_it()
    {
        InstallPointTurn first = await EnterAsync("a");
        first.Dispose();
        using InstallPointTurn second = await EnterAsync("a");
        await File.WriteAllTextAsync(second.Begin(), "half", Token);

        first.Dispose();

        Assert.True(Directory.Exists(Path.Combine(Points, Key("a") + InstallPointTurn.PartialSuffix)));
    }

    [Fact]
    public async Task Those_of_a_way_are_found_the_newest_first()
    {
        await KeepAsync("a", "way", s_today);
        await KeepAsync("b", "way", s_today.AddDays(1));
        await KeepAsync("c", "another", s_today);

        Assert.Equal([s_today.AddDays(1), s_today], _store.Find("way").Select(point => point.Created));
        Assert.Empty(_store.Find("none"));
    }

    [Fact]
    public async Task The_least_used_and_what_is_broken_go_and_what_is_in_use_stays()
    {
        for (int number = 0; number < InstallPointStore.Kept; number++)
        {
            await KeepAsync($"{number}", "way", s_today);
            Directory.SetLastWriteTimeUtc(Path.Combine(Points, Key($"{number}")), s_today.UtcDateTime.AddYears(-20).AddDays(number));
        }

        Directory.CreateDirectory(Path.Combine(Points, Key("killed") + InstallPointTurn.PartialSuffix));
        using (await EnterAsync("0"))
        {
            await KeepAsync("newest", "way", s_today);
            Assert.Contains(Key("0"), Names());
        }

        _store.Prune();

        Assert.Equal(InstallPointStore.Kept, Names().Length);
        Assert.DoesNotContain(Key("0"), Names());
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("{\"key\": \"x\", \"way\": null, \"created\": \"2030-05-17T12:00:00Z\", \"fetched\": []}")]
    public async Task A_damaged_record_counts_as_none(string text)
    {
        await KeepAsync("a", "way", s_today);
        await File.WriteAllTextAsync(Path.Combine(Points, Key("a"), InstallPointTurn.RecordName), text, Token);

        using InstallPointTurn turn = await EnterAsync("a");

        Assert.Null(turn.Point);
    }

    private static string Key(string name) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(name)));

    private string[] Names() => [.. Directory.GetDirectories(Points).Select(folder => Path.GetFileName(folder))];

    private Task<InstallPointTurn> EnterAsync(string name) => _store.EnterAsync(Key(name), () => { }, Token);

    private async Task<InstallPoint> KeepAsync(string name, string way, DateTimeOffset created)
    {
        using InstallPointTurn turn = await EnterAsync(name);
        return await KeepAsync(turn, name, way, created);
    }

    private async Task<InstallPoint> KeepAsync(InstallPointTurn turn, string name, string way, DateTimeOffset created)
    {
        var point = new InstallPoint(Key(name), way, created, [new ProxyRecord("http://mirror.example/a.deb", 200, 3, Key("deb"), "packages:trixie", FromCache: false)]);
        await File.WriteAllTextAsync(turn.Begin(), $"state {name}", Token);
        await File.WriteAllTextAsync(Disk, $"disk {name}", Token);
        await File.WriteAllTextAsync(Path.Combine(_draft, DebianInstall.SyslogName), $"log {name}", Token);
        await File.WriteAllTextAsync(Path.Combine(_draft, DebianInstall.ScreenName), "", Token);
        await turn.KeepAsync(point, [Disk], _draft, Token);
        return point;
    }
}
