using System.Security.Cryptography;
using System.Text;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Images;
using Virtigo.Installers.Debian;
using Virtigo.Installers.Ubuntu;
using Virtigo.Tests.Archives;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class UbuntuMediumTests : IAsyncDisposable
{
    private const string Info = "Ubuntu-Server 24.04.3 LTS \"Noble Numbat\" - Release amd64 (20250805.1)";
    private const string Name = "ubuntu-24.04.3-live-server-amd64.iso";
    private static readonly UbuntuRelease s_noble = UbuntuReleases.Find("noble")!;
    private readonly string _home = TestArchiveTools.NewFolder();
    private readonly TestArchiveServer _server = TestArchiveServer.Start();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private HostPaths Paths => HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null);

    private string Iso => Path.Combine(_home, Name);

    private Uri Address => new(_server.Uri + "/noble/" + Name);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Kernel_and_initial_file_system_are_taken_out_of_a_live_server_medium_once()
    {
        await WriteAsync(Whole());
        InstallerBuild build = await UnpackAsync();

        Assert.Equal(Info, build.Version);
        Assert.Equal("6.8.0-71-generic", build.KernelVersion);
        Assert.Equal(Kernel(), await File.ReadAllBytesAsync(build.KernelPath, Token));
        Assert.Equal("initrd", await File.ReadAllTextAsync(build.InitrdPath, Token));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(Iso, Token))), build.CacheKey);

        DateTime first = File.GetLastWriteTimeUtc(build.KernelPath);
        Assert.Equal(first, File.GetLastWriteTimeUtc((await UnpackAsync()).KernelPath));
    }

    [Fact]
    public async Task A_medium_that_was_written_to_has_another_hash()
    {
        await WriteAsync(Whole());
        string before = (await UnpackAsync()).CacheKey;
        await WriteAsync([.. Whole(), IsoContent.Of("more", "more")]);
        Assert.NotEqual(before, (await UnpackAsync()).CacheKey);
    }

    [Fact]
    public async Task Another_medium_is_refused_by_what_it_says_it_is()
    {
        Assert.Contains("is no medium of Ubuntu's", await RefusedAsync(IsoContent.Of("install.amd/vmlinuz", "k")), StringComparison.Ordinal);
        Assert.Contains("does not say what it is", await RefusedAsync(IsoContent.Of("casper/vmlinuz", "k")), StringComparison.Ordinal);
        Assert.Contains("is no live-server medium: it says it is 'Ubuntu 24.04.3 LTS", await RefusedAsync(Whole(Info.Replace("-Server", "", StringComparison.Ordinal))), StringComparison.Ordinal);
        Assert.Contains("the release asked for is noble, which is 24.04", await RefusedAsync(Whole(Info.Replace("24.04.3", "22.04.5", StringComparison.Ordinal))), StringComparison.Ordinal);
        Assert.Contains("another architecture", await RefusedAsync(Whole(Info.Replace("amd64", "arm64", StringComparison.Ordinal))), StringComparison.Ordinal);
        Assert.Contains("has no casper/initrd", await RefusedAsync(Whole()[..2]), StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', await RefusedAsync(Whole("Ubuntu \u001b[2J")));
    }

    [Fact]
    public async Task A_medium_given_by_its_address_is_what_was_signed_and_is_kept()
    {
        byte[] iso = await PublishAsync(TestArchiveKey.Trusted);
        UbuntuMedium medium = await FetchAsync();

        Assert.Equal(iso, await File.ReadAllBytesAsync(medium.Path, Token));
        Assert.Equal(("signature", Address.AbsoluteUri), (medium.Verified, medium.Name));
        int requests = _server.Requests.Count(request => request.Path.EndsWith(".iso", StringComparison.Ordinal));
        await FetchAsync();
        Assert.Equal(requests, _server.Requests.Count(request => request.Path.EndsWith(".iso", StringComparison.Ordinal)));
        int all = _server.Requests.Count;
        Assert.Equal(medium.Path, (await FetchAsync(offline: true)).Path);
        Assert.Equal(all, _server.Requests.Count);
    }

    [Fact]
    public async Task A_fetch_that_broke_off_goes_on_where_it_was()
    {
        byte[] iso = await PublishAsync(TestArchiveKey.Trusted);
        _server.Misbehave(Misbehaviour.Drop, ".iso", times: 1);
        Assert.Equal(iso, await File.ReadAllBytesAsync((await FetchAsync()).Path, Token));
        Assert.Contains(_server.Requests, request => request.Headers.ContainsKey("Range"));
    }

    [Fact]
    public async Task Nothing_that_is_not_vouched_for_is_used()
    {
        await PublishAsync(TestArchiveKey.Stranger);
        Assert.Equal(FailureKind.Trust, (await Assert.ThrowsAsync<VirtigoException>(() => FetchAsync())).Kind);

        await PublishAsync(TestArchiveKey.Trusted, listed: "another.iso");
        Assert.Contains("does not list", (await Assert.ThrowsAsync<VirtigoException>(() => FetchAsync())).Message, StringComparison.Ordinal);

        await PublishAsync(TestArchiveKey.Trusted);
        _server.Put("noble/" + Name, [1, 2, 3]);
        Assert.Equal(FailureKind.Trust, (await Assert.ThrowsAsync<VirtigoException>(() => FetchAsync())).Kind);

        _server.RemoveBelow("noble/SHA256SUMS.gpg");
        VirtigoException unsigned = await Assert.ThrowsAsync<VirtigoException>(() => FetchAsync());
        Assert.Contains("nothing vouches for the medium", unsigned.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_server.Requests, request => request.Path.Contains("casper", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Offline_what_was_never_fetched_is_missing() =>
        Assert.Equal(FailureKind.Archive, (await Assert.ThrowsAsync<VirtigoException>(() => FetchAsync(offline: true))).Kind);

    [Fact]
    public void Only_a_whole_line_of_a_list_names_a_file()
    {
        string hash = new('a', 64);
        Assert.Equal(hash, MediumFetcher.Find([$"{new string('b', 64)} *x{Name}", $"{hash} *{Name}"], Name));
        Assert.Equal(hash, MediumFetcher.Find([$"{hash}  {Name}"], Name));
        Assert.Null(MediumFetcher.Find([$"{hash} *{Name}.zsync", Name, "", $"{new string('z', 64)} *{Name}"], Name));
    }

    private static byte[] Kernel()
    {
        byte[] kernel = new byte[0x5000];
        "HdrS"u8.CopyTo(kernel.AsSpan(0x202));
        kernel[0x20F] = 0x10;
        Encoding.ASCII.GetBytes("6.8.0-71-generic (buildd@host) #71\0").CopyTo(kernel, 0x1200);
        return kernel;
    }

    private static IsoContent[] Whole(string info = Info) =>
        [IsoContent.Of(".disk/info", info), IsoContent.Of("casper/vmlinuz", Kernel()), IsoContent.Of("casper/initrd", "initrd")];

    private async Task WriteAsync(IReadOnlyList<IsoContent> files)
    {
        await using FileStream file = File.Create(Iso);
        await new IsoWriter("Ubuntu-Server 24.04.3 LTS amd64").WriteAsync(file, files, Token);
    }

    private async Task<InstallerBuild> UnpackAsync() => await (await UbuntuMedium.OfFileAsync(Iso, Paths, Token)).UnpackAsync(s_noble, Paths, Token);

    private async Task<string> RefusedAsync(params IReadOnlyList<IsoContent> files)
    {
        await WriteAsync(files);
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(UnpackAsync);
        Assert.Equal(FailureKind.Usage, error.Kind);
        return error.Message;
    }

    private async Task<byte[]> PublishAsync(TestArchiveKey key, string listed = Name)
    {
        await WriteAsync([.. Whole(), IsoContent.Of("large", new byte[300_000])]);
        byte[] iso = await File.ReadAllBytesAsync(Iso, Token);
        byte[] sums = Encoding.ASCII.GetBytes($"{Convert.ToHexStringLower(SHA256.HashData(iso))} *{listed}\n");
        _server.Put("noble/" + Name, iso);
        _server.Put("noble/SHA256SUMS", sums);
        _server.Put("noble/SHA256SUMS.gpg", key.DetachSign(sums));
        return iso;
    }

    private async Task<UbuntuMedium> FetchAsync(bool offline = false)
    {
        using var client = new ArchiveClient(new Pool(Paths.Pool), new ArchiveOptions { Offline = offline, Clock = new HurriedClock() });
        return await new MediumFetcher(Paths, client).FetchAsync(Address, TestArchiveKey.Trusted.Keyring, Token);
    }
}
