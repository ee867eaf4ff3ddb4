using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Tests.Archives;

/// <summary>What a mirror does wrong.</summary>
public enum Misbehaviour
{
    /// <summary>404.</summary>
    Missing,

    /// <summary>503.</summary>
    Unavailable,

    /// <summary>403.</summary>
    Forbidden,

    /// <summary>A byte in the middle is another one.</summary>
    Corrupt,

    /// <summary>The file is shorter than it should be, and the answer says so.</summary>
    Truncated,

    /// <summary>The connection ends after half of what is left.</summary>
    Drop,

    /// <summary>Half of the file, then nothing, with the connection left open.</summary>
    Stall,

    /// <summary>Redirects to itself for ever.</summary>
    RedirectLoop,

    /// <summary>Redirects to the same path below <c>/moved</c>, where it works.</summary>
    Redirect,

    /// <summary>Redirects to a file of the client's.</summary>
    RedirectToFile,

    /// <summary>Bytes without end and without a length.</summary>
    Endless,

    /// <summary>Range is ignored: the whole file comes again.</summary>
    IgnoreRange,
}

/// <summary>A request the server got.</summary>
internal sealed record TestArchiveRequest(string Path, IReadOnlyDictionary<string, string> Headers, int Status);

/// <summary>Serves a test archive over HTTP, and misbehaves when told to.</summary>
internal sealed class TestArchiveServer : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, byte[]> _files = new();
    private readonly List<Rule> _rules = [];
    private readonly ConcurrentQueue<TestArchiveRequest> _requests = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Task _serving;

    private TestArchiveServer()
    {
        _listener.Start();
        Uri = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/debian");
        _serving = ServeAsync();
    }

    /// <summary>The archive's root.</summary>
    public Uri Uri { get; }

    /// <summary>Everything asked for so far, in order.</summary>
    public IReadOnlyList<TestArchiveRequest> Requests => [.. _requests];

    public static TestArchiveServer Start() => new();

    public void Put(string path, byte[] content) => _files["/debian/" + path] = content;

    public byte[] Get(string path) => _files["/debian/" + path];

    public void RemoveBelow(string path)
    {
        foreach (string file in _files.Keys.Where(file => file.StartsWith("/debian/" + path, StringComparison.Ordinal)))
        {
            _files.TryRemove(file, out _);
        }
    }

    /// <summary>Misbehaves from now on.</summary>
    /// <param name="how">How.</param>
    /// <param name="pathPart">For paths that contain this text.</param>
    /// <param name="times">For so many requests.</param>
    public void Misbehave(Misbehaviour how, string pathPart = "", int times = int.MaxValue)
    {
        lock (_rules)
        {
            _rules.Add(new Rule(how, pathPart) { Left = times });
        }
    }

    /// <summary>Behaves well again.</summary>
    public void Behave()
    {
        lock (_rules)
        {
            _rules.Clear();
        }
    }

    /// <summary>Refuses connections from now on.</summary>
    public async Task RefuseAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _serving;
    }

    public async ValueTask DisposeAsync()
    {
        await RefuseAsync();
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                connections.Add(AnswerAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // It was stopped: while it waited for a client, or just before it would have.
            await Task.WhenAll(connections);
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using TcpClient owned = client;
        try
        {
            await using NetworkStream stream = client.GetStream();
            using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
            string path = (await reader.ReadLineAsync(_stop.Token))?.Split(' ')[1] ?? "/";
            path = Uri.UnescapeDataString(path);
            var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            while (await reader.ReadLineAsync(_stop.Token) is { Length: > 0 } line)
            {
                int colon = line.IndexOf(':', StringComparison.Ordinal);
                headers[line[..colon]] = line[(colon + 1)..].Trim();
            }

            await AnswerAsync(stream, path, headers);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client went away, or the server is to stop.
            return;
        }
    }

    private async Task AnswerAsync(NetworkStream stream, string path, Dictionary<string, string> headers)
    {
        Misbehaviour? how = Next(path);
        string plain = path.StartsWith("/moved", StringComparison.Ordinal) ? path["/moved".Length..] : path;
        int status = how switch
        {
            Misbehaviour.Missing => 404,
            Misbehaviour.Unavailable => 503,
            Misbehaviour.Forbidden => 403,
            Misbehaviour.RedirectLoop or Misbehaviour.RedirectToFile => 302,
            Misbehaviour.Redirect when path == plain => 302,
            _ when !_files.ContainsKey(plain) => 404,
            _ => 200,
        };
        var answer = new StringBuilder();
        byte[] body = [];
        long skipped = 0;
        if (status == 302)
        {
            answer.Append(CultureInfo.InvariantCulture, $"Location: {(how == Misbehaviour.RedirectToFile ? "file:///etc/passwd" : how == Misbehaviour.Redirect ? "/moved" + path : path)}\r\n");
        }
        else if (status == 200)
        {
            body = _files[plain];
            string tag = $"\"{Convert.ToHexStringLower(SHA256.HashData(body))[..16]}\"";
            answer.Append(CultureInfo.InvariantCulture, $"ETag: {tag}\r\n");
            body = Spoil(body, how);
            if (headers.GetValueOrDefault("If-None-Match") == tag)
            {
                (status, body) = (304, []);
            }
            else if (headers.GetValueOrDefault("Range") is { } range && how != Misbehaviour.IgnoreRange)
            {
                skipped = long.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture);
                status = skipped < body.Length ? 206 : 416;
                answer.Append(CultureInfo.InvariantCulture, $"Content-Range: bytes {skipped}-{body.Length - 1}/{body.Length}\r\n");
                body = status == 206 ? body[(int)skipped..] : [];
            }
        }

        _requests.Enqueue(new TestArchiveRequest(path["/debian/".Length..], headers, status));
        if (how != Misbehaviour.Endless)
        {
            answer.Append(CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n");
        }

        await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status} Status\r\n{answer}Connection: close\r\n\r\n"), _stop.Token);
        int sent = how is Misbehaviour.Drop or Misbehaviour.Stall ? body.Length / 2 : body.Length;
        await stream.WriteAsync(body.AsMemory(0, sent), _stop.Token);
        if (how == Misbehaviour.Stall)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _stop.Token);
        }

        while (how == Misbehaviour.Endless)
        {
            await stream.WriteAsync(new byte[65536], _stop.Token);
        }
    }

    private static byte[] Spoil(byte[] content, Misbehaviour? how)
    {
        switch (how)
        {
            case Misbehaviour.Corrupt:
                byte[] other = [.. content];
                int middle = other.Length / 2;
                other[middle] = (byte)(other[middle] == 'a' ? 'b' : 'a');
                return other;
            case Misbehaviour.Truncated:
                return content[..(content.Length / 2)];
            default:
                return content;
        }
    }

    private Misbehaviour? Next(string path)
    {
        lock (_rules)
        {
            Rule? rule = _rules.Find(rule => rule.Left > 0 && path.Contains(rule.PathPart, StringComparison.Ordinal));
            if (rule is not null)
            {
                rule.Left--;
            }

            return rule?.How;
        }
    }

    private sealed class Rule(Misbehaviour how, string pathPart)
    {
        public Misbehaviour How => how;

        public string PathPart => pathPart;

        public int Left { get; set; }
    }
}
