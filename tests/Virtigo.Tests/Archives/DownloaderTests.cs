using System.Security.Cryptography;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class DownloaderTests : IAsyncDisposable
{
    private const string File = "big";
    private readonly TestArchiveServer _server = TestArchiveServer.Start();
    private readonly byte[] _content = RandomNumberGenerator.GetBytes(300_000);
    private readonly List<FetchProgress> _progress = [];

    public DownloaderTests() => _server.Put(File, _content);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ArchiveOptions Options => new() { Clock = new HurriedClock(), IdleTimeout = TimeSpan.FromMinutes(30), Progress = _progress.Add };

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_broken_connection_is_resumed_where_it_ended()
    {
        _server.Misbehave(Misbehaviour.Drop, times: 3);
        Assert.Equal(_content, await Fetch());
        Assert.Equal([200, 206, 206, 206], _server.Requests.Select(request => request.Status));
        Assert.Equal("bytes=150000-", _server.Requests[1].Headers["Range"]);
        Assert.Equal(3, _progress.Count(progress => progress.Note is not null));
    }

    [Fact]
    public async Task A_server_that_ignores_ranges_is_read_from_the_start()
    {
        _server.Misbehave(Misbehaviour.Drop, times: 1);
        _server.Misbehave(Misbehaviour.IgnoreRange);
        Assert.Equal(_content, await Fetch());
    }

    [Fact]
    public async Task More_than_the_file_has_at_hand_is_thrown_away()
    {
        Assert.Equal(_content, await Fetch(start: new byte[_content.Length]));
        Assert.Equal([416, 200], _server.Requests.Select(request => request.Status));
    }

    [Fact]
    public async Task A_connection_without_a_byte_is_given_up_and_resumed()
    {
        _server.Misbehave(Misbehaviour.Stall, times: 1);
        Assert.Equal(_content, await Fetch(options: Options with { IdleTimeout = TimeSpan.FromSeconds(100) }));
        Assert.Contains("sent nothing for 100 s", Assert.Single(_progress, progress => progress.Note is not null).Note, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_busy_server_is_asked_again_so_many_times()
    {
        _server.Misbehave(Misbehaviour.Unavailable, times: 3);
        Assert.Equal(_content, await Fetch());

        _server.Misbehave(Misbehaviour.Unavailable, times: 4);
        VirtigoException e = await Fails(FailureKind.Archive);
        Assert.Contains("503", e.Message, StringComparison.Ordinal);
        Assert.Equal(4 + 4, _server.Requests.Count);
    }

    [Fact]
    public async Task A_redirect_is_followed_without_the_credentials_of_another_host()
    {
        _server.Misbehave(Misbehaviour.Redirect);
        Assert.Equal(_content, await Fetch());
        Assert.Equal([302, 200], _server.Requests.Select(request => request.Status));
    }

    [Fact]
    public async Task A_redirect_loop_ends()
    {
        _server.Misbehave(Misbehaviour.RedirectLoop);
        VirtigoException e = await Fails(FailureKind.Archive);
        Assert.Contains("redirects more than 8 times", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redirect_to_a_file_of_this_host_is_not_followed()
    {
        _server.Misbehave(Misbehaviour.RedirectToFile);
        VirtigoException e = await Fails(FailureKind.Archive);
        Assert.Contains("not followed", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Misbehaviour.Truncated)]
    [InlineData(Misbehaviour.Endless)]
    public async Task A_file_of_another_size_than_announced_is_refused_before_it_is_read_whole(Misbehaviour how)
    {
        _server.Misbehave(how);
        VirtigoException e = await Fails(FailureKind.Trust);
        Assert.Contains("announces 300000", e.Message, StringComparison.Ordinal);
        Assert.True(_progress.TrueForAll(progress => progress.Received <= 300_000));
    }

    [Fact]
    public async Task A_missing_file_is_told_apart() =>
        await Assert.ThrowsAsync<MirrorFileMissingException>(() => Fetch(path: "nothing"));

    [Fact]
    public async Task A_refusal_is_not_repeated()
    {
        _server.Misbehave(Misbehaviour.Forbidden);
        VirtigoException e = await Fails(FailureKind.Archive);
        Assert.Contains("403", e.Message, StringComparison.Ordinal);
        Assert.Single(_server.Requests);
    }

    [Fact]
    public async Task A_server_that_refuses_connections_cannot_be_reached()
    {
        await _server.RefuseAsync();
        VirtigoException e = await Fails(FailureKind.Archive);
        Assert.Contains("Cannot reach 127.0.0.1", e.Message, StringComparison.Ordinal);
        Assert.Contains("--offline", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_does_not_resolve_is_told_so()
    {
        using var downloader = new Downloader(Options);
        var e = await Assert.ThrowsAsync<VirtigoException>(() => downloader.FetchAsync(
            new FetchRequest(new Uri("http://nothing.invalid/x"), 10), new MemoryStream(), Token));
        Assert.Equal(FailureKind.Archive, e.Kind);
        Assert.Contains("nothing.invalid", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ftp://mirror.example/x")]
    [InlineData("gopher://mirror.example/x")]
    public async Task Other_schemes_are_the_users_mistake(string uri)
    {
        using var downloader = new Downloader(Options);
        var e = await Assert.ThrowsAsync<VirtigoException>(() => downloader.FetchAsync(new FetchRequest(new Uri(uri), 10), new MemoryStream(), Token));
        Assert.Equal(FailureKind.Usage, e.Kind);
    }

    [Fact]
    public async Task A_cancelled_fetch_ends_at_once()
    {
        _server.Misbehave(Misbehaviour.Stall);
        using var stop = new CancellationTokenSource();
        using var downloader = new Downloader(new ArchiveOptions { Progress = _ => stop.Cancel() });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => downloader.FetchAsync(Request(File), new MemoryStream(), stop.Token));
    }

    [Fact]
    public async Task An_interrupted_fetch_is_completed_by_the_next_client()
    {
        var pool = new Pool(TestArchiveTools.NewFolder());
        string hash = Convert.ToHexStringLower(SHA256.HashData(_content));
        var source = new ArchiveSource(_server.Uri, "trixie", ["main"]);
        _server.Misbehave(Misbehaviour.Drop, times: 1);
        using (var first = new ArchiveClient(pool, Options with { Retries = 0 }))
        {
            await Assert.ThrowsAsync<VirtigoException>(() => first.TryFetchAsync(source, [File], hash, _content.Length, _content.Length, askAgain: false, Token));
        }

        using var second = new ArchiveClient(pool, Options);
        Assert.NotNull(await second.TryFetchAsync(source, [File], hash, _content.Length, _content.Length, askAgain: false, Token));
        Assert.Equal([200, 206], _server.Requests.Select(request => request.Status));
    }

    [Fact]
    public async Task What_an_earlier_fetch_left_broken_is_fetched_anew()
    {
        var pool = new Pool(TestArchiveTools.NewFolder());
        string hash = Convert.ToHexStringLower(SHA256.HashData(_content));
        string partial = Path.Combine(pool.Directory, "partial", hash);
        Directory.CreateDirectory(Path.GetDirectoryName(partial)!);
        foreach (int length in (int[])[1000, _content.Length, _content.Length + 5])
        {
            await System.IO.File.WriteAllBytesAsync(partial, new byte[length], Token);
            using var client = new ArchiveClient(pool, Options);
            string? path = await client.TryFetchAsync(
                new ArchiveSource(_server.Uri, "trixie", ["main"]), [File], hash, _content.Length, _content.Length, askAgain: false, Token);
            Assert.Equal(_content, await System.IO.File.ReadAllBytesAsync(path!, Token));
            pool.Remove(hash);
        }
    }

    private FetchRequest Request(string path) => new(new Uri($"{_server.Uri}/{path}"), 1 << 20, _content.Length);

    private async Task<byte[]> Fetch(string path = File, byte[]? start = null, ArchiveOptions? options = null)
    {
        using var downloader = new Downloader(options ?? Options);
        using var destination = new MemoryStream();
        destination.Write(start ?? []);
        await downloader.FetchAsync(Request(path), destination, Token);
        return destination.ToArray();
    }

    private async Task<VirtigoException> Fails(FailureKind kind)
    {
        var e = await Assert.ThrowsAsync<VirtigoException>(() => Fetch());
        Assert.Equal(kind, e.Kind);
        return e;
    }
}
