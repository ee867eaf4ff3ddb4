namespace Virtigo.Networks;

/// <summary>Which port each Ethernet address was last seen at. Bounded for each port: one that uses too many forgets its own oldest. Not thread safe.</summary>
internal sealed class MacTable
{
    /// <summary>The most addresses of one port.</summary>
    public const int LimitPerPort = 256;

    private readonly Dictionary<ulong, int> _ports = [];
    private readonly ulong[]?[] _learned;
    private readonly int[] _next;

    /// <summary>Creates an empty table.</summary>
    /// <param name="ports">The number of ports.</param>
    public MacTable(int ports) => (_learned, _next) = (new ulong[ports][], new int[ports]);

    /// <summary>Changes whenever an address comes, moves or goes.</summary>
    public long Generation { get; private set; }

    /// <summary>The number of addresses.</summary>
    public int Count => _ports.Count;

    /// <summary>Everything known, in no order.</summary>
    public IEnumerable<(MacAddress Mac, int Port)> Entries => _ports.Select(entry => (new MacAddress(entry.Key), entry.Value));

    /// <summary>The port of an address; -1 when it is not known.</summary>
    public int Find(ulong mac) => _ports.TryGetValue(mac, out int port) ? port : -1;

    /// <summary>An address was seen as source of a frame.</summary>
    public void Learn(ulong mac, int port)
    {
        if (_ports.TryGetValue(mac, out int known) && known == port)
        {
            return;
        }

        ulong[] learned = _learned[port] ??= new ulong[LimitPerPort];
        ulong oldest = learned[_next[port]];
        if (oldest != 0 && oldest != mac && Find(oldest) == port)
        {
            _ports.Remove(oldest);
        }

        learned[_next[port]] = mac;
        _next[port] = (_next[port] + 1) % LimitPerPort;
        _ports[mac] = port;
        Generation++;
    }

    /// <summary>Forgets every address of a port.</summary>
    public void Forget(int port)
    {
        if (_learned[port] is not { } learned)
        {
            return;
        }

        foreach (ulong mac in learned)
        {
            if (mac != 0 && Find(mac) == port)
            {
                _ports.Remove(mac);
            }
        }

        Array.Clear(learned);
        Generation++;
    }
}
