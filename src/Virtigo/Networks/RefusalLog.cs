namespace Virtigo.Networks;

/// <summary>Something the guest wanted and was not given.</summary>
/// <param name="Protocol">"tcp", "udp", "icmp", "arp", "dns" or "ip" with its protocol number.</param>
/// <param name="Target">The address it was for, or the name that was asked for.</param>
/// <param name="Port">The destination port; 0 where there is none.</param>
/// <param name="Count">How often.</param>
internal sealed record GatewayRefusal(string Protocol, string Target, int Port, long Count)
{
    /// <summary>Why, when it is not simply that nothing is open there.</summary>
    public string? Reason { get; init; }
}

/// <summary>The bounded list of everything refused. Thread safe.</summary>
/// <param name="first">Called once for each new entry; must not block.</param>
internal sealed class RefusalLog(Action<GatewayRefusal>? first)
{
    /// <summary>The most distinct entries that are kept.</summary>
    public const int Limit = 512;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Protocol, string Target, int Port, string? Reason), long> _counts = [];
    private long _beyond;

    /// <summary>Refusals that were not kept since the list was full.</summary>
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

    /// <summary>Everything kept so far, ordered by protocol and target.</summary>
    public IReadOnlyList<GatewayRefusal> ToList()
    {
        lock (_lock)
        {
            return [.. _counts.Select(entry => new GatewayRefusal(entry.Key.Protocol, entry.Key.Target, entry.Key.Port, entry.Value) { Reason = entry.Key.Reason })
                .OrderBy(refusal => refusal.Protocol, StringComparer.Ordinal)
                .ThenBy(refusal => refusal.Target, StringComparer.Ordinal)
                .ThenBy(refusal => refusal.Port)
                .ThenBy(refusal => refusal.Reason, StringComparer.Ordinal)];
        }
    }

    /// <summary>Records one refusal.</summary>
    public void Add(string protocol, string target, int port = 0, string? reason = null)
    {
        bool isNew;
        lock (_lock)
        {
            var key = (protocol, target, port, reason);
            isNew = !_counts.TryGetValue(key, out long count);
            if (isNew && _counts.Count >= Limit)
            {
                _beyond++;
                return;
            }

            _counts[key] = count + 1;
        }

        if (isNew)
        {
            first?.Invoke(new GatewayRefusal(protocol, target, port, 1) { Reason = reason });
        }
    }
}
