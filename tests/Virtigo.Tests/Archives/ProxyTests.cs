using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class ProxyTests
{
    private static readonly ArchiveProxyOptions Impatient = new() { PatienceInterval = TimeSpan.FromMilliseconds(20) };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    [Fact]
    public async Task A_package_is_handed_out_with_the_index_that_vouches_for_it_and_the_second_time_without_a_request()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        TestArchiveDeb deb = harness.Archive.Debs[0];
        byte[] first = await harness.Http.GetByteArrayAsync(ProxyHarness.Url(deb.Filename), Token);
        int requests = harness.UpstreamRequests;
        byte[] second = await harness.Http.GetByteArrayAsync(ProxyHarness.Url(deb.Filename), Token);
        Assert.Equal(deb.Build(), first);
        Assert.Equal(first, second);
        Assert.Equal(requests, harness.UpstreamRequests);
        Assert.Equal([new ProxyRecord(ProxyHarness.Url(deb.Filename).AbsoluteUri, 200, first.Length, Sha256(first), "packages:trixie", FromCache: false)],
            harness.Proxy.Records);
    }

    [Fact]
    public async Task What_is_handed_out_beside_the_archive_is_given_whole_and_recorded_nowhere()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        var url = new Uri("http://mirror.example/virtigo/own");
        Assert.Equal(HttpStatusCode.NotFound, (await harness.Http.GetAsync(url, Token)).StatusCode);
        int before = harness.Proxy.Records.Count;

        harness.Proxy.HandOut("virtigo/own", "secret"u8.ToArray());

        Assert.Equal("secret", await harness.Http.GetStringAsync(url, Token));
        Assert.Equal("secret", await harness.Http.GetStringAsync(url, Token));
        Assert.Equal(before, harness.Proxy.Records.Count);
    }

    [Fact]
    public async Task The_signed_file_is_handed_out_as_it_was_signed_and_its_text_as_Release_under_every_name_of_the_suite()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        foreach (string suite in (string[])["trixie", "stable"])
        {
            Assert.Equal(harness.Archive.Server.Get("dists/trixie/InRelease"),
                await harness.Http.GetByteArrayAsync(ProxyHarness.Url($"dists/{suite}/InRelease"), Token));
            string release = await harness.Http.GetStringAsync(ProxyHarness.Url($"dists/{suite}/Release"), Token);
            Assert.StartsWith("Origin: Test\nSuite: stable\nCodename: trixie\n", release, StringComparison.Ordinal);
            Assert.DoesNotContain("PGP", release, StringComparison.Ordinal);
        }

        Assert.Equal(HttpStatusCode.NotFound, (await harness.Http.GetAsync(ProxyHarness.Url("dists/trixie/Release.gpg"), Token)).StatusCode);
        Assert.All(harness.Proxy.Records.Where(record => record.Status == 200), record => Assert.Equal("signature", record.Verified));
    }

    [Theory]
    [InlineData(Misbehaviour.Corrupt)]
    [InlineData(Misbehaviour.Missing)]
    public async Task What_a_mirror_says_of_an_index_is_made_from_the_signed_file_where_the_mirror_is_of_another_day(Misbehaviour trouble)
    {
        TestArchive archive = TestArchive.Start();
        const string text = "Archive: stable\nOrigin: Test\nVersion: 13.0\nAcquire-By-Hash: yes\nComponent: main\nArchitecture: amd64\n";
        archive.AddSuiteFile("main/binary-amd64/Release", Encoding.UTF8.GetBytes(text));
        archive.AddSuiteFile("main/binary-arm64/Release", "Archive: unknown\n"u8.ToArray());
        archive.Server.Misbehave(trouble, "/main/binary-");
        await using ProxyHarness proxy = await ProxyHarness.StartAsync(archive);

        Assert.Equal(text, await proxy.Http.GetStringAsync(ProxyHarness.Url("dists/trixie/main/binary-amd64/Release"), Token));
        Assert.False((await proxy.Http.GetAsync(ProxyHarness.Url("dists/trixie/main/binary-arm64/Release"), Token)).IsSuccessStatusCode);
    }

    [Fact]
    public async Task Detached_signatures_are_handed_out_as_they_are()
    {
        TestArchive archive = TestArchive.Start();
        archive.Publish(new TestRelease { Inline = false });
        await using ProxyHarness harness = await ProxyHarness.StartAsync(archive);
        foreach (string name in (string[])["Release", "Release.gpg"])
        {
            Assert.Equal(archive.Server.Get("dists/trixie/" + name), await harness.Http.GetByteArrayAsync(ProxyHarness.Url("dists/trixie/" + name), Token));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_uncompressed_index_the_mirror_lacks_is_made_from_a_compressed_one_and_checked(bool xz)
    {
        TestArchive archive = TestArchive.Start();
        archive.Publish(new TestRelease { Xz = xz });
        await using ProxyHarness harness = await ProxyHarness.StartAsync(archive);
        string packages = await harness.Http.GetStringAsync(ProxyHarness.Url("dists/trixie/main/binary-amd64/Packages"), Token);
        Assert.StartsWith("Package: hello\n", packages, StringComparison.Ordinal);
        string hash = Sha256(Encoding.UTF8.GetBytes(packages));
        Assert.Equal(packages, await harness.Http.GetStringAsync(ProxyHarness.Url($"dists/stable/main/binary-amd64/by-hash/SHA256/{hash}"), Token));
        Assert.All(harness.Proxy.Records, record => Assert.Equal(("release", hash), (record.Verified, record.Sha256)));
    }

    [Theory]
    [InlineData("pool/main/h/hello/hello_9.9_amd64.deb")]
    [InlineData("pool/main/h/hello/secret.txt")]
    [InlineData("dists/trixie/main/binary-amd64/Packages.bz2")]
    [InlineData("dists/trixie/main/binary-amd64/by-hash/SHA256/0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("dists/sid/InRelease")]
    [InlineData("")]
    public async Task What_the_archive_does_not_vouch_for_is_not_found_and_not_asked_for(string path)
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        await harness.Http.GetAsync(ProxyHarness.Url("pool/main/h/hello/hello_9.9_amd64.deb"), Token);
        int requests = harness.UpstreamRequests;
        Assert.Equal(HttpStatusCode.NotFound, (await harness.Http.GetAsync(ProxyHarness.Url(path), Token)).StatusCode);
        Assert.Equal(requests, harness.UpstreamRequests);
        ProxyRecord record = harness.Proxy.Records[^1];
        Assert.Equal((404, null, "none"), (record.Status, record.Sha256, record.Verified));
        Assert.Contains("unknown", record.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_index_the_guest_has_no_use_for_is_refused_by_name_and_by_hash()
    {
        byte[] translation = "nothing"u8.ToArray();
        TestArchive archive = TestArchive.Start();
        archive.AddSuiteFile("main/i18n/Translation-en.xz", translation);
        await using ProxyHarness harness = await ProxyHarness.StartAsync(archive, new ArchiveProxyOptions { RefusedIndices = ["*/i18n/Translation-*"] });
        foreach (string name in (string[])["Translation-en.xz", "by-hash/SHA256/" + Sha256(translation)])
        {
            HttpResponseMessage answer = await harness.Http.GetAsync(ProxyHarness.Url("dists/trixie/main/i18n/" + name), Token);
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }
    }

    [Fact]
    public async Task A_file_every_mirror_lacks_is_named_in_the_record_and_a_wrong_one_is_a_bad_gateway()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        Uri url = ProxyHarness.Url(harness.Archive.Debs[0].Filename);
        harness.Archive.Server.Misbehave(Misbehaviour.Corrupt, "pool/");
        Assert.Equal(HttpStatusCode.BadGateway, (await harness.Http.GetAsync(url, Token)).StatusCode);
        harness.Archive.Server.Behave();
        harness.Archive.Server.Misbehave(Misbehaviour.Missing, "pool/");
        Assert.Equal(HttpStatusCode.NotFound, (await harness.Http.GetAsync(url, Token)).StatusCode);
        Assert.StartsWith("Mirror file missing", harness.Proxy.Records[^1].Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Many_requests_for_one_file_at_once_cause_one_fetch()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        Uri url = ProxyHarness.Url(harness.Archive.Debs[0].Filename);
        byte[][] answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => harness.Http.GetByteArrayAsync(url, Token)));
        Assert.All(answers, answer => Assert.Equal(answers[0], answer));
        Assert.Single(harness.Archive.Server.Requests, request => request.Path.Contains("pool/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Any_range_gives_the_same_bytes_as_the_file_and_conditions_are_kept()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        Uri url = ProxyHarness.Url(harness.Archive.Debs[0].Filename);
        byte[] whole = await harness.Http.GetByteArrayAsync(url, Token);
        await Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Int[0, whole.Length + 10]).SampleAsync(async (from, to) =>
        {
            HttpResponseMessage part = await GetAsync(harness, url, request => request.Headers.Range = new RangeHeaderValue(Math.Min(from, to), Math.Max(from, to)));
            byte[] expected = whole[Math.Min(from, to)..Math.Min(whole.Length, Math.Max(from, to) + 1)];
            byte[] received = await part.Content.ReadAsByteArrayAsync(Token);
            return part.StatusCode == HttpStatusCode.PartialContent && expected.AsSpan().SequenceEqual(received);
        }, iter: 20, threads: 1);
        HttpResponseMessage tail = await GetAsync(harness, url, request => request.Headers.Range = new RangeHeaderValue(null, 7));
        Assert.Equal(whole[^7..], await tail.Content.ReadAsByteArrayAsync(Token));
        HttpResponseMessage beyond = await GetAsync(harness, url, request => request.Headers.Range = new RangeHeaderValue(whole.Length, null));
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, beyond.StatusCode);
        Assert.Equal(whole.Length, beyond.Content.Headers.ContentRange!.Length);
        HttpResponseMessage stale = await GetAsync(harness, url, request =>
        {
            request.Headers.Range = new RangeHeaderValue(1, 2);
            request.Headers.IfRange = new RangeConditionHeaderValue(new EntityTagHeaderValue("\"another\""));
        });
        Assert.Equal(HttpStatusCode.OK, stale.StatusCode);
        HttpResponseMessage known = await GetAsync(harness, url, request => request.Headers.IfNoneMatch.Add(tail.Headers.ETag!));
        Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
        HttpResponseMessage unchanged = await GetAsync(harness, url, request => request.Headers.IfModifiedSince = tail.Content.Headers.LastModified);
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);
    }

    [Fact]
    public async Task Head_tells_the_size_and_the_connection_goes_on()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        TestArchiveDeb deb = harness.Archive.Debs[0];
        string answers = await harness.ExchangeAsync(
            $"HEAD /debian/{deb.Filename} HTTP/1.1\r\nHost: mirror.example\r\n\r\n"
            + "GET http://MIRROR.example:80/debian/nothing HTTP/1.1\r\nHost: mirror.example\r\n\r\n"
            + $"GET /debian/{deb.Filename} HTTP/1.0\r\nHost: mirror.example\r\n\r\n");
        string[] parts = answers.Split("HTTP/1.1 ", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["200", "404", "200"], parts.Select(part => part[..3]));
        Assert.EndsWith($"Content-Length: {deb.Build().Length}\r\n\r\n", parts[0], StringComparison.Ordinal);
        Assert.EndsWith(Encoding.Latin1.GetString(deb.Build()), parts[2], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST /debian/x HTTP/1.1\r\nHost: mirror.example\r\nContent-Length: 3\r\n\r\nabc", 405)]
    [InlineData("CONNECT mirror.example:443 HTTP/1.1\r\nHost: mirror.example\r\n\r\n", 405)]
    [InlineData("GET /debian/x HTTP/1.1\r\nHost: mirror.example\r\nContent-Length: 3\r\n\r\nabc", 400)]
    [InlineData("GET /debian/x HTTP/1.1\r\nHost: mirror.example\r\nTransfer-Encoding: chunked\r\n\r\n", 400)]
    [InlineData("GET /debian/../../etc/passwd HTTP/1.1\r\nHost: mirror.example\r\n\r\n", 400)]
    [InlineData("GET /debian/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: mirror.example\r\n\r\n", 400)]
    [InlineData("GET /debian/x%00y HTTP/1.1\r\nHost: mirror.example\r\n\r\n", 400)]
    [InlineData("GET /debian/x?y HTTP/1.1\r\nHost: mirror.example\r\n\r\n", 400)]
    [InlineData("GET /debian/x HTTP/1.1\r\n\r\n", 400)]
    [InlineData("GET /debian/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400)]
    [InlineData("GET /debian/x HTTP/1.1\r\nHost: mirror.example\r\n folded\r\n\r\n", 400)]
    [InlineData("GET /debian/x HTTP/1.1\r\nHost : mirror.example\r\n\r\n", 400)]
    [InlineData("GET /debian/x HTTP/2.0\r\nHost: mirror.example\r\n\r\n", 400)]
    [InlineData("GET  HTTP/1.1\r\nHost: mirror.example\r\n\r\n", 400)]
    [InlineData("GET /debian/x HTTP/1.1\r\nHost: mirror.example:8080\r\n\r\n", 403)]
    [InlineData("\u0016\u0003\u0001\r\n\r\n", 400)]
    public async Task A_request_that_is_no_request_for_a_file_gets_a_clean_refusal_and_the_connection_ends(string request, int status)
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        Assert.StartsWith($"HTTP/1.1 {status} ", await harness.ExchangeAsync(request), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://other.example/debian/dists/trixie/InRelease", 403)]
    [InlineData("http://mirror.example/debian-security/dists/trixie/InRelease", 404)]
    [InlineData("http://mirror.example/debiandists/trixie/InRelease", 404)]
    public async Task Other_hosts_and_folders_are_refused(string url, int status)
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        Assert.Equal(status, (int)(await harness.Http.GetAsync(new Uri(url), Token)).StatusCode);
    }

    [Fact]
    public async Task A_head_without_end_is_refused_at_its_limit()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        string request = "GET /debian/x HTTP/1.1\r\nHost: mirror.example\r\nX: ";
        request += new string('x', ProxyRequestReader.MaxHead - request.Length);
        Assert.StartsWith("HTTP/1.1 431 ", await harness.ExchangeAsync(request), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Arbitrary_bytes_never_break_the_proxy()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        await Gen.String[Gen.Char["GET /:\r\n%2e.HP1\0ÿ"], 0, 80].SampleAsync(async noise =>
        {
            string answer = await harness.ExchangeAsync("GET /debian/" + noise + "\r\n\r\n\r\nX\r\n\r\n");
            return answer.StartsWith("HTTP/1.1 4", StringComparison.Ordinal);
        }, iter: 100, threads: 1);
    }

    [Fact]
    public async Task A_file_damaged_in_the_cache_is_cut_off_before_its_end_and_fetched_anew()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start());
        TestArchiveDeb deb = harness.Archive.Debs[0];
        Uri url = ProxyHarness.Url(deb.Filename);
        await harness.Http.GetByteArrayAsync(url, Token);
        string path = harness.Archive.Pool.PathOf(Sha256(deb.Build()));
        byte[] damaged = [.. deb.Build()];
        damaged[^1] ^= 1;
        await File.WriteAllBytesAsync(path, damaged, Token);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => harness.Http.GetByteArrayAsync(url, Token));
        Assert.Equal(deb.Build(), await harness.Http.GetByteArrayAsync(url, Token));
    }

    [Fact]
    public async Task A_client_is_kept_waiting_with_header_lines_while_a_file_is_fetched()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start(), Impatient);
        TestArchiveDeb deb = harness.Archive.Debs[0];
        harness.Archive.Server.Misbehave(Misbehaviour.Stall, "pool/", times: 1);
        using HttpResponseMessage answer = await harness.Http.GetAsync(ProxyHarness.Url(deb.Filename), Token);
        Assert.True(answer.Headers.Contains("X-Fetching"));
        Assert.Equal(deb.Build(), await answer.Content.ReadAsByteArrayAsync(Token));
        Assert.Equal(deb.Build(), await harness.Http.GetByteArrayAsync(ProxyHarness.Url(deb.Filename), Token));
    }

    [Fact]
    public async Task An_answer_that_had_begun_and_cannot_be_completed_is_cut_off_and_recorded()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start(), Impatient);
        harness.Archive.Server.Misbehave(Misbehaviour.Stall, "pool/", times: 1);
        harness.Archive.Server.Misbehave(Misbehaviour.Missing, "pool/");
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => harness.Http.GetAsync(ProxyHarness.Url(harness.Archive.Debs[0].Filename), Token));
        Assert.Equal(404, harness.Proxy.Records[^1].Status);
    }

    [Fact]
    public async Task A_connection_without_requests_ends()
    {
        await using ProxyHarness harness = await ProxyHarness.StartAsync(TestArchive.Start(), new ArchiveProxyOptions { IdleTimeout = TimeSpan.FromMilliseconds(50) });
        Assert.Equal("", await harness.ExchangeAsync(""));
    }

    private static async Task<HttpResponseMessage> GetAsync(ProxyHarness harness, Uri url, Action<HttpRequestMessage> change)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        change(request);
        return await harness.Http.SendAsync(request, Token);
    }
}
