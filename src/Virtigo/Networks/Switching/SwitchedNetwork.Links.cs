using Virtigo.Host;

namespace Virtigo.Networks;

internal sealed partial class SwitchedNetwork
{
    /// <summary>The links that have or had a fault, by sender and receiver; the others are null.</summary>
    private readonly SwitchedLink?[] _links;
    private readonly byte[] _changed = new byte[GuestLinkSession.LongestFrame];
    private readonly List<SwitchCapture> _captures = [];

    /// <summary>Whether any link has a fault, or a capture runs.</summary>
    private bool _special;

    /// <summary>The link between two ports, made when it is not there yet.</summary>
    public SwitchedLink Link(int from, int to) => _links[(from * Ports.Length) + to] ??=
        new SwitchedLink(SeededRandom.For(_shared.Options.Seed, Definition.Name, Ports[from].Definition.Machine, Ports[to].Definition.Machine));

    /// <summary>Every pair of ports, in a fixed order.</summary>
    public IEnumerable<(int From, int To)> Pairs() =>
        from a in Enumerable.Range(0, Ports.Length) from b in Enumerable.Range(0, Ports.Length) where a != b select (a, b);

    /// <summary>Whether the selector is for this link.</summary>
    public bool IsSelected(LinkSelector selector, int from, int to) =>
        selector.Selects(Ports[from].Definition.Machine, Ports[to].Definition.Machine, Definition.Name);

    /// <summary>Says what is wrong with the selected links from now on.</summary>
    public void SetFault(LinkSelector selector, LinkFault fault)
    {
        foreach ((int from, int to) in Pairs())
        {
            if (IsSelected(selector, from, to) && (!fault.IsNone || LinkOrNull(from, to) is not null))
            {
                Link(from, to).Fault = fault;
            }
        }

        UpdateSpecial();
    }

    /// <summary>Cuts these links and no others.</summary>
    public void SetPartition(IReadOnlyList<LinkSelector> cuts)
    {
        foreach ((int from, int to) in Pairs())
        {
            bool isCut = cuts.Any(cut => IsSelected(cut, from, to));
            if (isCut || LinkOrNull(from, to) is not null)
            {
                Link(from, to).IsCut = isCut;
            }
        }

        UpdateSpecial();
    }

    /// <summary>Lets a frame arrive that was held back; <see cref="HeldFrames.Return"/> is the caller's.</summary>
    public void Arrive(HeldFrame frame)
    {
        SwitchedLink link = Link(frame.From, frame.To);
        link.Held--;
        if (link.IsDown)
        {
            Ports[frame.From].Tally.Faulted++;
        }
        else
        {
            Write(Ports[frame.To], frame.Bytes);
            Record(frame.From, frame.To, frame.Bytes);
        }

        if (link.Held == 0)
        {
            UpdateSpecial();
        }
    }

    /// <summary>Begins a capture.</summary>
    public void Add(SwitchCapture capture)
    {
        _captures.Add(capture);
        UpdateSpecial();
    }

    /// <summary>Ends a capture.</summary>
    public void Remove(SwitchCapture capture)
    {
        _captures.Remove(capture);
        UpdateSpecial();
    }

    private SwitchedLink? LinkOrNull(int from, int to) => _links[(from * Ports.Length) + to];

    private void UpdateSpecial() => _special = _captures.Count > 0 || Array.Exists(_links, link => link is { IsPlain: false });

    /// <summary>Sends a frame over a link that may have a fault.</summary>
    private void Pass(SwitchedPort from, SwitchedPort to, ReadOnlySpan<byte> frame)
    {
        if (LinkOrNull(from.Index, to.Index) is not { IsPlain: false } link)
        {
            Write(to, frame);
            Record(from.Index, to.Index, frame);
            return;
        }

        long now = _shared.Now;
        FrameFate fate = link.Decide(now, frame.Length);
        if (fate.Copies == 0)
        {
            from.Tally.Faulted++;
            return;
        }

        if (fate.CorruptBit >= 0)
        {
            Span<byte> changed = _changed.AsSpan(0, frame.Length);
            frame.CopyTo(changed);
            changed[fate.CorruptBit / 8] ^= (byte)(1 << (fate.CorruptBit % 8));
            frame = changed;
        }

        for (int copy = 0; copy < fate.Copies; copy++)
        {
            if (fate.Due <= now && link.Held == 0)
            {
                Write(to, frame);
                Record(from.Index, to.Index, frame);
            }
            else if (_shared.Held.TryHold(fate.Due, _index, from.Index, to.Index, frame))
            {
                link.Held++;
            }
            else
            {
                from.Tally.Faulted++;
            }
        }
    }

    /// <summary>Shows a frame to the captures, once as sent and once for each port it arrives at.</summary>
    private void Record(int from, int to, ReadOnlySpan<byte> frame)
    {
        foreach (SwitchCapture capture in _captures)
        {
            capture.Record(from, to, frame);
        }
    }
}
