using Virtigo.Host;

namespace Virtigo.Networks;

internal sealed partial class SwitchedNetwork
{
    /// <summary>Copies what the network knows and has in flight.</summary>
    public SwitchNetworkState Save()
    {
        long now = _shared.Now;
        return new SwitchNetworkState(Definition.Name, [.. Ports.Select(port => port.Definition.Machine)],
            [.. _macs.Entries.Select(entry => new LearnedMac(entry.Mac, entry.Port)).OrderBy(entry => entry.Mac.Value)],
            [.. Pairs().Where(pair => LinkOrNull(pair.From, pair.To) is not null).Select(pair => Save(pair.From, pair.To, now))],
            [.. _shared.Held.InOrder().Where(held => held.Frame.Network == _index).Select(held => new HeldFrameState(held.Frame.From, held.Frame.To, held.Due - now, held.Frame.Bytes.ToArray()))],
            [.. Ports.SelectMany(port => port.Queue.Copy().Select(frame => new QueuedFrameState(port.Index, frame)))]);
    }

    /// <summary>Goes on from a state; to be called before the first guest connects.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Internal"/>: the state is of another network.</exception>
    public void Load(SwitchNetworkState state)
    {
        if (state.Name != Definition.Name || !state.Machines.SequenceEqual(Ports.Select(port => port.Definition.Machine)))
        {
            throw new VirtigoException(FailureKind.Internal,
                $"The saved state is of a network '{state.Name}' with the machines {string.Join(", ", state.Machines)}; " +
                $"this is '{Definition.Name}' with {string.Join(", ", Ports.Select(port => port.Definition.Machine))}.",
                "Remove the snapshot; it will be made again.");
        }

        long now = _shared.Now;
        foreach (LearnedMac learned in state.Learned)
        {
            _macs.Learn(learned.Mac.Value, learned.Port);
        }

        foreach (LinkState saved in state.Links)
        {
            SwitchedLink link = Link(saved.From, saved.To);
            (link.Fault, link.IsCut) = (saved.Fault, saved.IsCut);
            link.Random = _shared.Options.DrawAnew ? link.Random : new SeededRandom(saved.Random);
            (link.BusyUntil, link.LastDue) = (now + saved.BusyUntil, now + saved.LastDue);
        }

        foreach (HeldFrameState held in state.Held)
        {
            if (_shared.Held.TryHold(now + held.Due, _index, held.From, held.To, held.Frame))
            {
                Link(held.From, held.To).Held++;
            }
        }

        foreach (QueuedFrameState queued in state.Queued)
        {
            SwitchedPort port = Ports[queued.Port];
            port.Tally.Dropped += port.Queue.AppendFrame(queued.Frame) ? 0 : 1;
        }

        UpdateSpecial();
    }

    private LinkState Save(int from, int to, long now)
    {
        SwitchedLink link = Link(from, to);
        return new LinkState(from, to, link.Fault, link.IsCut, link.Random.State, Math.Max(0, link.BusyUntil - now), Math.Max(0, link.LastDue - now));
    }
}
