using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Virtigo.Archives;

namespace Virtigo.Tests.Archives;

/// <summary>How a test archive's Release is made.</summary>
internal sealed record TestRelease
{
    public string Codename { get; init; } = "trixie";

    public string Suite { get; init; } = "stable";

    /// <summary>The folder below <c>dists/</c>; null for the codename.</summary>
    public string? Folder { get; init; }

    public DateTimeOffset Date { get; init; } = TimeProvider.System.GetUtcNow().AddHours(-1);

    public DateTimeOffset? ValidUntil { get; init; } = TimeProvider.System.GetUtcNow().AddDays(7);

    public TestArchiveKey Key { get; init; } = TestArchiveKey.Trusted;

    /// <summary>Inline signature (InRelease) or detached (Release and Release.gpg).</summary>
    public bool Inline { get; init; } = true;

    public bool ByHash { get; init; } = true;

    /// <summary>Packages.xz as well as Packages.gz.</summary>
    public bool Xz { get; init; } = true;
}

/// <summary>
/// A small signed archive with its own key, served over HTTP by this process.
/// <code>
/// await using TestArchive archive = TestArchive.Start(new TestArchiveDeb("hello") { Files = ... }, new TestArchiveDeb("net") { Udeb = true });
/// using ArchiveClient client = archive.Client();
/// ArchiveSuite suite = await client.OpenAsync(archive.Source, ct);
/// archive.Server.Misbehave(Misbehaviour.Missing, "hello_1.0-1");
/// </code>
/// </summary>
internal sealed class TestArchive : IAsyncDisposable
{
    private readonly List<TestArchiveDeb> _debs;
    private readonly Dictionary<string, byte[]> _extra = [];

    private TestArchive(IEnumerable<TestArchiveDeb> debs)
    {
        _debs = [.. debs];
        Server = TestArchiveServer.Start();
        Publish();
    }

    public TestArchiveServer Server { get; }

    /// <summary>The Release as last published.</summary>
    public TestRelease Release { get; private set; } = new();

    /// <summary>A folder for a pool, used by <see cref="Client"/>.</summary>
    public string PoolDirectory { get; } = TestArchiveTools.NewFolder();

    public Pool Pool => new(PoolDirectory);

    public ArchiveSource Source => new(Server.Uri, Release.Codename, ["main"], Keyring: TestArchiveKey.Trusted.Keyring);

    public IReadOnlyList<TestArchiveDeb> Debs => _debs;

    /// <summary>Makes the archive and serves it.</summary>
    public static TestArchive Start(params TestArchiveDeb[] debs) =>
        new(debs.Length > 0 ? debs : [new TestArchiveDeb("hello") { Files = new Dictionary<string, string> { ["usr/share/hello"] = "hello\n" } }]);

    /// <summary>A client with the archive's pool and a clock that hurries through pauses and time limits.</summary>
    public ArchiveClient Client(Func<ArchiveOptions, ArchiveOptions>? change = null)
    {
        var options = new ArchiveOptions { Clock = new HurriedClock(), IdleTimeout = TimeSpan.FromSeconds(150) };
        return new ArchiveClient(Pool, change?.Invoke(options) ?? options);
    }

    /// <summary>Adds packages and publishes anew.</summary>
    public void Add(params TestArchiveDeb[] debs)
    {
        _debs.AddRange(debs);
        Publish(Release);
    }

    /// <summary>Adds a file below the suite's folder that Release lists, as an installer's SHA256SUMS, and publishes anew.</summary>
    public void AddSuiteFile(string path, byte[] content)
    {
        _extra[path] = content;
        Publish(Release);
    }

    /// <summary>Makes all indices and the Release and signs it.</summary>
    public void Publish(TestRelease? release = null)
    {
        Release = release ?? Release;
        string suite = $"dists/{Release.Folder ?? Release.Codename}/";
        Server.RemoveBelow(suite);
        var listed = new SortedDictionary<string, byte[]>(_extra, StringComparer.Ordinal);
        foreach (TestArchiveDeb deb in _debs)
        {
            Server.Put(deb.Filename, deb.Build());
        }

        foreach (string component in _debs.Select(deb => deb.Component).Append("main").Distinct())
        {
            foreach (bool udeb in (bool[])[false, true])
            {
                byte[] packages = Encoding.UTF8.GetBytes(
                    string.Join('\n', _debs.Where(deb => deb.Udeb == udeb && deb.Component == component).Select(deb => deb.Paragraph())));
                string path = $"{component}/{(udeb ? "debian-installer/" : "")}binary-amd64/Packages";
                listed[path] = packages;
                listed[path + ".gz"] = Gzip(packages);
                if (Release.Xz)
                {
                    listed[path + ".xz"] = TestArchiveTools.Run("xz", packages, "-c", "-0");
                }
            }
        }

        var text = new StringBuilder($"Origin: Test\nSuite: {Release.Suite}\nCodename: {Release.Codename}\nVersion: 13.0\n")
            .Append(CultureInfo.InvariantCulture, $"Date: {Release.Date.UtcDateTime:ddd, dd MMM yyyy HH:mm:ss} UTC\n");
        if (Release.ValidUntil is { } until)
        {
            text.Append(CultureInfo.InvariantCulture, $"Valid-Until: {until.UtcDateTime:ddd, dd MMM yyyy HH:mm:ss} UTC\n");
        }

        text.Append(Release.ByHash ? "Acquire-By-Hash: yes\n" : "").Append("Architectures: all amd64\nComponents: main\nSHA256:\n");
        foreach ((string path, byte[] content) in listed)
        {
            string hash = Convert.ToHexStringLower(SHA256.HashData(content));
            text.Append(CultureInfo.InvariantCulture, $" {hash} {content.Length,16} {path}\n");
            if (!path.EndsWith("/Packages", StringComparison.Ordinal))
            {
                // As on real mirrors, the uncompressed index is listed but not there.
                Server.Put(suite + path, content);
                if (Release.ByHash)
                {
                    Server.Put($"{suite}{path[..path.LastIndexOf('/')]}/by-hash/SHA256/{hash}", content);
                }
            }
        }

        byte[] plain = Encoding.UTF8.GetBytes(text.ToString());
        if (Release.Inline)
        {
            Server.Put(suite + "InRelease", Release.Key.ClearSign(plain));
        }
        else
        {
            Server.Put(suite + "Release", plain);
            Server.Put(suite + "Release.gpg", Release.Key.DetachSign(plain));
        }
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    private static byte[] Gzip(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(content);
        }

        return packed.ToArray();
    }
}

/// <summary>The system's time of day, but every pause and time limit passes a hundred times faster.</summary>
internal sealed class HurriedClock : TimeProvider
{
    private const int Factor = 100;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new HurriedTimer(base.CreateTimer(callback, state, Hurry(dueTime), Hurry(period)));

    private static TimeSpan Hurry(TimeSpan time) => time > TimeSpan.Zero ? time / Factor : time;

    private sealed class HurriedTimer(ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(Hurry(dueTime), Hurry(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
