using System.Collections.Concurrent;
using System.Security.Cryptography;
using Virtigo.Host;

namespace Virtigo.Archives;

/// <summary>
/// Files addressed by their SHA-256, shared by everything this user builds. A file is only ever seen whole and verified;
/// several processes may add the same file at once, and one of them does the work.
/// </summary>
/// <param name="directory">The pool's folder; created when something is added.</param>
internal sealed class Pool(string directory)
{
    private readonly ConcurrentDictionary<string, bool> _used = new(StringComparer.Ordinal);

    /// <summary>The hashes of the files found or added through this object.</summary>
    public ICollection<string> Used => _used.Keys;

    /// <summary>The pool's folder.</summary>
    public string Directory { get; } = directory;

    /// <summary>Where a file of this hash is, or would be.</summary>
    public string PathOf(string sha256) => Path.Combine(Directory, "sha256", Checked(sha256)[..2], sha256);

    /// <summary>The path of a file, or null when the pool lacks it.</summary>
    public string? Find(string sha256)
    {
        string path = PathOf(sha256);
        return File.Exists(path) ? Use(sha256, path) : null;
    }

    /// <summary>Adds a file unless it is there.</summary>
    /// <param name="sha256">The hash it must have.</param>
    /// <param name="fill">Writes the content.</param>
    /// <param name="cancellationToken">Ends the work; the pool is then unchanged.</param>
    /// <returns>The file's path.</returns>
    /// <exception cref="VirtigoException">The content has another hash (<see cref="FailureKind.Trust"/>).</exception>
    public Task<string> AddAsync(string sha256, Func<Stream, CancellationToken, Task> fill, CancellationToken cancellationToken) =>
        AddAsync(sha256, sha256, resume: false, (file, token) => fill(file, token), cancellationToken);

    /// <summary>Adds a file whose hash is not known before.</summary>
    /// <returns>Its hash; <see cref="PathOf"/> tells where it is.</returns>
    public async Task<string> AddAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        string sha256 = Convert.ToHexStringLower(SHA256.HashData(content.Span));
        await AddAsync(sha256, (file, token) => file.WriteAsync(content, token).AsTask(), cancellationToken);
        return sha256;
    }

    /// <summary>Adds a file unless it is there, keeping what was written when interrupted for the next attempt.</summary>
    /// <param name="sha256">The hash it must have.</param>
    /// <param name="name">What the file is, for messages: its address.</param>
    /// <param name="resume">Whether to start from what an earlier attempt left.</param>
    /// <param name="fill">Completes the content; the stream stands at the end of what an earlier attempt wrote.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The file's path.</returns>
    public async Task<string> AddAsync(
        string sha256, string name, bool resume, Func<FileStream, CancellationToken, Task> fill, CancellationToken cancellationToken)
    {
        string path = PathOf(sha256);
        if (File.Exists(path))
        {
            return Use(sha256, path);
        }

        string lockPath = Path.Combine(Directory, "locks", sha256);
        using FileLock exclusive = await FileLock.AcquireAsync(lockPath, waiting: null, cancellationToken);
        if (File.Exists(path))
        {
            return Use(sha256, path);
        }

        string partial = Path.Combine(Directory, "partial", sha256);
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(partial)!);
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        bool keep = false;
        try
        {
            await using (var file = new FileStream(partial, new FileStreamOptions
            {
                Mode = resume ? FileMode.OpenOrCreate : FileMode.Create,
                Access = FileAccess.ReadWrite,
                Options = FileOptions.Asynchronous,
            }))
            {
                file.Seek(0, SeekOrigin.End);
                keep = resume;
                await fill(file, cancellationToken);
                keep = false;
                await VerifyAsync(file, sha256, name, cancellationToken);
                file.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite: true);

            // Whoever waits for this lock finds the file and does not write, so the lock's name may be reused.
            File.Delete(lockPath);
            return Use(sha256, path);
        }
        catch (IOException e) when (HostTrouble.IsFull(e))
        {
            throw new VirtigoException(FailureKind.Host, $"No space is left for {name} in {Directory}.",
                "Free some space there, or put the cache elsewhere with XDG_CACHE_HOME.", e);
        }
        finally
        {
            if (!keep || new FileInfo(partial) is { Exists: true, Length: 0 })
            {
                File.Delete(partial);
            }
        }
    }

    /// <summary>Forgets a file, so that it is fetched again.</summary>
    public void Remove(string sha256) => File.Delete(PathOf(sha256));

    private string Use(string sha256, string path)
    {
        _used.TryAdd(sha256, true);
        return path;
    }

    private static async Task VerifyAsync(FileStream file, string expected, string name, CancellationToken cancellationToken)
    {
        await file.FlushAsync(cancellationToken);
        file.Seek(0, SeekOrigin.Begin);
        string actual = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken));
        if (actual != expected)
        {
            throw new VirtigoException(FailureKind.Trust,
                $"{name} has the wrong content: expected SHA-256 {expected}, got {actual} ({file.Length} bytes). It was discarded.",
                "The mirror may be in the middle of an update or damaged: try again later or use another mirror.");
        }
    }

    private static string Checked(string sha256) => Text.IsSha256(sha256)
        ? sha256
        : throw new ArgumentException($"\"{Text.Shorten(sha256)}\" is no SHA-256 in lower-case hexadecimal.", nameof(sha256));
}
