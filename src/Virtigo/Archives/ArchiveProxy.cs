using System.Collections.Concurrent;

namespace Virtigo.Archives;

/// <summary>
/// The archives as a guest sees them: plain HTTP/1.1 on the names of its own configuration, nothing behind it but verified files.
/// Every file is checked against the archive's signed indices before its first byte leaves, hashed again on its way, and recorded.
/// </summary>
/// <param name="routes">The archives by host name and path.</param>
/// <param name="pool">Where verified files are kept.</param>
/// <param name="options">Limits and refusals.</param>
internal sealed class ArchiveProxy(IReadOnlyList<ProxyRoute> routes, Pool pool, ArchiveProxyOptions options)
{
    private readonly Dictionary<ProxyRoute, ProxyCatalog> _catalogs =
        routes.ToDictionary(route => route, route => new ProxyCatalog(route.Suites, pool, options));

    private readonly ProxyLedger _ledger = new(options.OnRecord);

    private readonly ConcurrentDictionary<string, ReadOnlyMemory<byte>> _handouts = new(StringComparer.Ordinal);

    /// <summary>What was handed out and refused so far, each file of an address once.</summary>
    public IReadOnlyList<ProxyRecord> Records => _ledger.ToList();

    /// <summary>How many requests are not in <see cref="Records"/> since the list was full.</summary>
    public long RecordsBeyondList => _ledger.Beyond;

    /// <summary>The names a guest must be able to resolve.</summary>
    public IReadOnlyCollection<string> Hosts => [.. routes.Select(route => route.Host).Distinct(StringComparer.OrdinalIgnoreCase)];

    /// <summary>Gives the guest something that is no archive's, on the name of any of them. It may be secret: it is not recorded.</summary>
    /// <param name="path">Its path, without a first slash.</param>
    /// <param name="content">What is given, from now on.</param>
    public void HandOut(string path, ReadOnlyMemory<byte> content) => _handouts[path] = content;

    /// <summary>Serves one connection until either side is done with it. The caller closes it.</summary>
    /// <param name="connection">A guest's connection to port 80.</param>
    /// <param name="cancellationToken">Ends the serving, in the middle of a file if need be.</param>
    /// <exception cref="IOException">The connection broke, or an answer that had begun cannot be completed; the caller must reset it.</exception>
    /// <exception cref="VirtigoException">A cached file turned out damaged while it was sent; the caller must reset the connection.</exception>
    public async Task ServeAsync(Stream connection, CancellationToken cancellationToken)
    {
        var reader = new ProxyRequestReader(connection);
        var response = new ProxyResponse(connection, options.Clock, options.OnSent);
        bool isOpen = true;
        while (isOpen)
        {
            using var idle = new CancellationTokenSource(options.IdleTimeout, options.Clock);
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, idle.Token);
            try
            {
                isOpen = await reader.ReadAsync(waiting.Token) is { } request && await AnswerAsync(request, response, cancellationToken);
            }
            catch (ProxyRequestException error)
            {
                _ledger.Add(new ProxyRecord("(malformed)", error.Status, 0, null, "none", FromCache: false, error.Message));
                await response.SendErrorAsync(error.Status, error.Message, isHead: false, closes: true, cancellationToken);
                isOpen = false;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                isOpen = false;
            }
        }
    }

    /// <returns>Whether the connection stays open.</returns>
    private async Task<bool> AnswerAsync(ProxyRequest request, ProxyResponse response, CancellationToken cancellationToken)
    {
        if (_handouts.TryGetValue(request.Path, out ReadOnlyMemory<byte> handout))
        {
            await response.SendBytesAsync(request, handout, cancellationToken);
            return !request.Closes;
        }

        string url = Text.Shorten(request.Url, 400);
        ProxyFile file;
        try
        {
            file = await FetchPatientlyAsync(request, response, cancellationToken);
        }
        catch (Exception error) when (error is ProxyRequestException or VirtigoException)
        {
            int status = (error as ProxyRequestException)?.Status ?? 502;
            _ledger.Add(new ProxyRecord(url, status, 0, null, "none", FromCache: false, error.Message));
            await response.SendErrorAsync(status, error.Message, request.Method == "HEAD", request.Closes, cancellationToken);
            return !request.Closes;
        }

        try
        {
            (int status, long size) = await response.SendFileAsync(request, file, cancellationToken);
            _ledger.Add(new ProxyRecord(url, status, size, file.Sha256, file.Verified, file.FromCache));
            return !request.Closes;
        }
        catch (VirtigoException error) when (error.Kind == FailureKind.Trust)
        {
            pool.Remove(file.Sha256);
            _ledger.Add(new ProxyRecord(url, 500, 0, null, "none", FromCache: true, error.Message));
            throw;
        }
    }

    private async Task<ProxyFile> FetchPatientlyAsync(ProxyRequest request, ProxyResponse response, CancellationToken cancellationToken)
    {
        (ProxyCatalog catalog, string path) = Route(request);
        Task<ProxyFile> fetch = catalog.GetAsync(path, cancellationToken);
        while (request.Method == "GET" && !request.IsConditional)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task first = await Task.WhenAny(fetch, Task.Delay(options.PatienceInterval, options.Clock, patience.Token));
            await patience.CancelAsync();
            if (first == fetch)
            {
                break;
            }

            await response.SendPatienceAsync(request, cancellationToken);
        }

        return await fetch;
    }

    private (ProxyCatalog Catalog, string Path) Route(ProxyRequest request)
    {
        ProxyRoute[] ofHost = [.. routes.Where(route => route.Host.Equals(request.Host, StringComparison.OrdinalIgnoreCase))];
        if (ofHost.Length == 0)
        {
            throw new ProxyRequestException(403, $"The host \"{Text.Shorten(request.Host)}\" is none of this machine's archives.");
        }

        return ofHost.OrderByDescending(route => route.Prefix.Length)
            .Select(route => (Route: route, Path: route.Below(request.Path)))
            .Where(match => match.Path is not null)
            .Select(match => (_catalogs[match.Route], match.Path!))
            .DefaultIfEmpty()
            .First() is { Item1: not null } found
                ? found
                : throw new ProxyRequestException(404, $"\"{Text.Shorten(request.Path)}\" is below none of this machine's archives.");
    }
}
