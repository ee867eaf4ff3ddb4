namespace Virtigo.Archives;

/// <summary>The bounded list of what a guest was given and refused. Thread safe.</summary>
internal sealed class ProxyLedger(Action<ProxyRecord>? onRecord)
{
    /// <summary>The most distinct files kept; far more than any suite's installation needs.</summary>
    private const int MaxFiles = 100_000;

    /// <summary>The most distinct refusals kept.</summary>
    private const int MaxRefusals = 1000;

    private readonly Lock _lock = new();
    private readonly List<ProxyRecord> _records = [];
    private readonly HashSet<(string Url, string? Sha256, int Status)> _known = [];
    private int _refusals;
    private long _beyond;

    /// <summary>Requests that are not in the list since it was full.</summary>
    public long Beyond
    {
        get
        {
            lock (_lock)
            {
                return _beyond;
            }
        }
    }

    /// <summary>Everything so far, each file and outcome of an address once, in the order of the answers.</summary>
    public IReadOnlyList<ProxyRecord> ToList()
    {
        lock (_lock)
        {
            return [.. _records];
        }
    }

    /// <summary>Adds the record of an answered request.</summary>
    public void Add(ProxyRecord record)
    {
        lock (_lock)
        {
            bool isRefusal = record.Sha256 is null;
            if (!_known.Contains((record.Url, record.Sha256, record.Status)))
            {
                if (isRefusal ? _refusals >= MaxRefusals : _records.Count - _refusals >= MaxFiles)
                {
                    _beyond++;
                }
                else
                {
                    _refusals += isRefusal ? 1 : 0;
                    _known.Add((record.Url, record.Sha256, record.Status));
                    _records.Add(record);
                }
            }
        }

        onRecord?.Invoke(record);
    }
}
