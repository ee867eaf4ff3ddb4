using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace Virtigo.Archives;

/// <summary>What to fetch.</summary>
/// <param name="Uri">Where from.</param>
/// <param name="MaxSize">The most bytes ever read.</param>
/// <param name="Size">The exact size in bytes, when an index announces it.</param>
/// <param name="ETag">The tag of the copy at hand, to fetch only a changed file.</param>
/// <param name="LastModified">The date of the copy at hand, as the server gave it.</param>
internal sealed record FetchRequest(Uri Uri, long MaxSize, long? Size = null, string? ETag = null, string? LastModified = null)
{
    /// <summary>Whether only a changed file is wanted.</summary>
    public bool IsConditional => ETag is not null || LastModified is not null;
}

/// <summary>What a fetch brought.</summary>
/// <param name="NotModified">The copy at hand is still current; nothing was written.</param>
/// <param name="ETag">The file's tag, for the next time.</param>
/// <param name="LastModified">The file's date, for the next time.</param>
internal sealed record FetchResult(bool NotModified, string? ETag, string? LastModified);

/// <summary>Fetches single files: resumes, repeats after failures that may pass, follows a few redirects, and never reads past a size.</summary>
internal sealed class Downloader : IDisposable
{
    private const int MaxRedirects = 8;
    private const int MaxHeader = 1024;
    private const int ProgressWorthKeeping = 64 << 10;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private readonly ArchiveOptions _options;
    private readonly HttpClient _http;
    private int _requests;

    public Downloader(ArchiveOptions options)
    {
        _options = options;
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            MaxResponseHeadersLength = 64,
            ConnectTimeout = options.IdleTimeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        })
        { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("virtigo");
    }

    /// <summary>How many requests were made, redirects and repetitions included.</summary>
    public int Requests => Volatile.Read(ref _requests);

    public void Dispose() => _http.Dispose();

    /// <summary>Fetches a file.</summary>
    /// <param name="request">What to fetch.</param>
    /// <param name="destination">Where to; the fetch resumes after what it holds already.</param>
    /// <param name="cancellationToken">Ends the fetch.</param>
    /// <exception cref="MirrorFileMissingException">The server has no such file.</exception>
    /// <exception cref="VirtigoException">
    /// The server cannot be reached or gives no usable answer (<see cref="FailureKind.Archive"/>), or the file has another size
    /// than announced or its server another identity (<see cref="FailureKind.Trust"/>).
    /// </exception>
    public async Task<FetchResult> FetchAsync(FetchRequest request, Stream destination, CancellationToken cancellationToken)
    {
        if (!ArchiveUri.IsSupported(request.Uri))
        {
            throw new VirtigoException(FailureKind.Usage,
                $"{ArchiveUri.Shown(request.Uri)} cannot be read: its scheme is \"{request.Uri.Scheme}\", expected http, https or file.");
        }

        int failures = 0;
        while (true)
        {
            long before = destination.Length;
            try
            {
                return request.Uri.IsFile
                    ? await CopyLocalAsync(request, destination, cancellationToken)
                    : await FetchOnceAsync(request, destination, cancellationToken);
            }
            catch (PassingFailure e)
            {
                failures = destination.Length - before >= ProgressWorthKeeping ? 1 : failures + 1;
                if (failures > _options.Retries)
                {
                    throw new VirtigoException(FailureKind.Archive, e.Message,
                        "Check the network and the mirror's address, or use another mirror; --offline uses only what was fetched before.",
                        e.InnerException);
                }

                TimeSpan pause = Pause(failures);
                Report(request, destination.Length,
                    string.Create(CultureInfo.InvariantCulture, $"{e.Message} Trying again in {pause.TotalSeconds:0.0} s."));
                await Task.Delay(pause, _options.Clock, cancellationToken);
            }
        }
    }

    private static TimeSpan Pause(int failures)
    {
        double whole = Math.Min(FirstPause.TotalSeconds * Math.Pow(2, failures - 1), LongestPause.TotalSeconds);
        return TimeSpan.FromSeconds(whole * (0.5 + (Random.Shared.NextDouble() / 2)));
    }

    private async Task<FetchResult> FetchOnceAsync(FetchRequest request, Stream destination, CancellationToken cancellationToken)
    {
        using var idle = new CancellationTokenSource(_options.IdleTimeout, _options.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(idle.Token, cancellationToken);
        string shown = ArchiveUri.Shown(request.Uri);
        try
        {
            using HttpResponseMessage response = await SendAsync(request, destination.Length, either.Token);
            if (response.StatusCode == HttpStatusCode.NotModified && request.IsConditional)
            {
                return new FetchResult(true, request.ETag, request.LastModified);
            }

            CheckStatus(response, request, destination);
            CheckSize(response, request, destination, shown);
            await using Stream body = await response.Content.ReadAsStreamAsync(either.Token);
            await CopyAsync(body, request, destination, () => idle.CancelAfter(_options.IdleTimeout), either.Token);
            return new FetchResult(false, Bounded(response.Headers.ETag?.ToString()), Bounded(LastModified(response)));
        }
        catch (OperationCanceledException) when (idle.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new PassingFailure(
                $"{shown} sent nothing for {_options.IdleTimeout.TotalSeconds:0.#} s, after {destination.Length} bytes.", null);
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.SecureConnectionError)
        {
            throw new VirtigoException(FailureKind.Trust, $"{request.Uri.Host} did not prove who it is: {Innermost(e)}",
                "Check the host's clock and CA certificates (apt-get install ca-certificates), or use an http mirror: "
                + "the archive's signature is checked in any case.", e);
        }
        catch (HttpRequestException e)
        {
            string why = e.HttpRequestError == HttpRequestError.NameResolutionError ? "its name does not resolve" : Innermost(e);
            throw new PassingFailure($"Cannot reach {request.Uri.Host} for {shown}: {why}.", e);
        }
        catch (IOException e) when (destination is not FileStream || e is HttpIOException || e.InnerException is System.Net.Sockets.SocketException)
        {
            throw new PassingFailure($"{shown} ended after {destination.Length} bytes: {Innermost(e)}", e);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(FetchRequest request, long have, CancellationToken cancellationToken)
    {
        Uri uri = ArchiveUri.WithoutCredentials(request.Uri);
        for (int hop = 0; hop <= MaxRedirects; hop++)
        {
            using var message = new HttpRequestMessage(HttpMethod.Get, uri);
            if (uri.Authority == request.Uri.Authority && uri.Scheme == request.Uri.Scheme)
            {
                message.Headers.Authorization = ArchiveUri.Credentials(request.Uri);
            }

            message.Headers.Range = have > 0 ? new RangeHeaderValue(have, null) : null;
            if (request.ETag is not null)
            {
                message.Headers.TryAddWithoutValidation("If-None-Match", request.ETag);
            }

            if (request.LastModified is not null)
            {
                message.Headers.TryAddWithoutValidation("If-Modified-Since", request.LastModified);
            }

            Interlocked.Increment(ref _requests);
            HttpResponseMessage response = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
            {
                return response;
            }

            response.Dispose();
            Uri next = new(uri, location);
            if (next.Scheme is not ("http" or "https") || (uri.Scheme == "https" && next.Scheme == "http"))
            {
                throw new VirtigoException(FailureKind.Archive,
                    $"{ArchiveUri.Shown(uri)} redirects to {Text.Shorten(ArchiveUri.Shown(next))}, which is not followed.", "Use another mirror.");
            }

            uri = ArchiveUri.WithoutCredentials(next);
        }

        throw new VirtigoException(FailureKind.Archive,
            $"{ArchiveUri.Shown(request.Uri)} redirects more than {MaxRedirects} times, at last to {Text.Shorten(uri.AbsoluteUri)}.",
            "The mirror, or a proxy on the way, is misconfigured: use another mirror.");
    }

    private static void CheckStatus(HttpResponseMessage response, FetchRequest request, Stream destination)
    {
        string shown = ArchiveUri.Shown(request.Uri);
        int status = (int)response.StatusCode;
        switch (status)
        {
            case 200:
                destination.SetLength(0);
                break;
            case 206 when response.Content.Headers.ContentRange is { } range && range.From == destination.Length
                && (request.Size is null || range.Length is null || range.Length == request.Size):
                break;
            case 206 or 416:
                destination.SetLength(0);
                throw new PassingFailure($"{shown} cannot be resumed where the last attempt ended.", null);
            case 404 or 410:
                throw new MirrorFileMissingException(shown);
            case 408 or 429 or >= 500:
                throw new PassingFailure($"{shown} answers {status} {Text.Shorten(response.ReasonPhrase)}.", null);
            default:
                throw new VirtigoException(FailureKind.Archive, $"{shown} answers {status} {Text.Shorten(response.ReasonPhrase)}.",
                    status is 401 or 403 ? "The mirror refuses this client: check its address and credentials." : "Use another mirror.");
        }

        destination.Seek(0, SeekOrigin.End);
    }

    private static void CheckSize(HttpResponseMessage response, FetchRequest request, Stream destination, string shown)
    {
        if (response.Content.Headers.ContentLength is not { } length)
        {
            return;
        }

        long total = destination.Length + length;
        if (total > request.MaxSize || (request.Size is { } size && total != size))
        {
            destination.SetLength(0);
            throw WrongSize(shown, total, request);
        }
    }

    private async Task CopyAsync(
        Stream body, FetchRequest request, Stream destination, Action alive, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[128 << 10];
        long limit = request.Size ?? request.MaxSize;
        int read;
        while ((read = await body.ReadAsync(buffer, cancellationToken)) > 0)
        {
            alive();
            if (destination.Length + read > limit)
            {
                long atLeast = destination.Length + read;
                destination.SetLength(0);
                throw WrongSize(ArchiveUri.Shown(request.Uri), atLeast, request);
            }

            await destination.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            Report(request, destination.Length);
        }

        if (request.Size is { } size && destination.Length < size)
        {
            throw new PassingFailure($"{ArchiveUri.Shown(request.Uri)} ended after {destination.Length} of {size} bytes.", null);
        }
    }

    private async Task<FetchResult> CopyLocalAsync(FetchRequest request, Stream destination, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _requests);
        string path = request.Uri.LocalPath;
        var info = new FileInfo(path);
        if (!info.Exists)
        {
            throw new MirrorFileMissingException(request.Uri.AbsoluteUri);
        }

        string written = info.LastWriteTimeUtc.ToString("R", CultureInfo.InvariantCulture);
        if (request.LastModified == written)
        {
            return new FetchResult(true, null, written);
        }

        try
        {
            await using FileStream file = info.OpenRead();
            if (file.Length > request.MaxSize || (request.Size is { } size && file.Length != size))
            {
                throw WrongSize(request.Uri.AbsoluteUri, file.Length, request);
            }

            destination.SetLength(0);
            await CopyAsync(file, request, destination, () => { }, cancellationToken);
            return new FetchResult(false, null, written);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new VirtigoException(FailureKind.Archive, $"{path} cannot be read: {e.Message}", "Make the mirror's files readable.", e);
        }
    }

    private void Report(FetchRequest request, long received, string? note = null) =>
        _options.Progress?.Invoke(new FetchProgress(ArchiveUri.Shown(request.Uri), received, request.Size, Finished: false, note));

    private static VirtigoException WrongSize(string url, long actual, FetchRequest request) => new(FailureKind.Trust,
        request.Size is { } size
            ? $"{url} has {actual} bytes or more, but the archive's signed index announces {size}. It was discarded."
            : $"{url} has {actual} bytes or more; at most {request.MaxSize} are read.",
        "The mirror may be in the middle of an update or damaged: try again later or use another mirror.");

    private static string? LastModified(HttpResponseMessage response) =>
        response.Content.Headers.LastModified?.ToString("R", CultureInfo.InvariantCulture);

    private static string? Bounded(string? header) => header is { Length: > MaxHeader } ? null : header;

    private static string Innermost(Exception e) => Text.Shorten(e.GetBaseException().Message, 300).TrimEnd('.');

    private sealed class PassingFailure(string message, Exception? inner) : Exception(message, inner);
}
