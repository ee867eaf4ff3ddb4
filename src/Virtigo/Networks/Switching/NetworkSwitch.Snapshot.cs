namespace Virtigo.Networks;

internal sealed partial class NetworkSwitch
{
    /// <summary>How often a frozen switch is looked at.</summary>
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(1);

    /// <summary>How long a paused guest may take for the rest of a frame.</summary>
    private static readonly TimeSpan s_collectLimit = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// Stops delivery and time, for a snapshot: first of three steps. Guests go on; what they send is taken in and kept. Waits until guests have
    /// taken everything that was written to their sockets, which no snapshot would see. Stays frozen when it fails.
    /// </summary>
    /// <returns>False when some guest did not within <see cref="SwitchOptions.FreezeLimit"/>; what it did not take is lost to copies.</returns>
    public async Task<bool> FreezeAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isEnding, this);
            if (!_shared.IsFrozen)
            {
                _shared.Freeze();
            }
        }

        long began = Options.Clock.GetTimestamp();
        while (!HaveGuestsTakenAll())
        {
            if (Options.Clock.GetElapsedTime(began) > Options.FreezeLimit)
            {
                return false;
            }

            await Task.Delay(s_look, Options.Clock, cancellationToken);
        }

        return true;
    }

    /// <summary>Second step, with all guests paused: takes in everything they have sent, and copies what is known and in flight. Connections through an egress are not part of it.</summary>
    /// <exception cref="InvalidOperationException">The switch is not frozen.</exception>
    public async Task<SwitchState> CollectAsync(CancellationToken cancellationToken)
    {
        const int quietLooks = 3;
        long began = Options.Clock.GetTimestamp();
        int quiet = 0;
        long seen = -1;
        while (quiet < quietLooks && Options.Clock.GetElapsedTime(began) < s_collectLimit)
        {
            await Task.Delay(s_look, Options.Clock, cancellationToken);
            long now = TakeIn(out bool waitsForMore);
            quiet = now == seen && !waitsForMore ? quiet + 1 : 0;
            seen = now;
        }

        lock (_gate)
        {
            return new SwitchState([.. _networks.Select(network => network.Save())]);
        }
    }

    /// <summary>Last step: delivery and time go on from where they stopped. Also begins them after <see cref="SwitchOptions.StartFrozen"/>.</summary>
    public void Thaw()
    {
        lock (_gate)
        {
            if (!_shared.IsFrozen)
            {
                return;
            }

            _shared.Thaw();
            _ports.ForEach(entry => _shared.MarkDirty(entry.Port));
            Wake();
        }
    }

    private bool HaveGuestsTakenAll()
    {
        lock (_gate)
        {
            return _ports.TrueForAll(entry => entry.Port.Guest is not { } guest || (!entry.Port.Queue.IsInsideFrame && !Epoll.HasUnread(guest)));
        }
    }

    /// <summary>Reads what guests have sent.</summary>
    /// <returns>The number of frames received ever.</returns>
    private long TakeIn(out bool waitsForMore)
    {
        const int readsAtOnce = 64;
        waitsForMore = false;
        long frames = 0;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isEnding, this);
            if (!_shared.IsFrozen)
            {
                throw new InvalidOperationException("A switch is collected between freezing and thawing.");
            }

            foreach ((SwitchedNetwork network, SwitchedPort port) in _ports)
            {
                for (int reads = 0; reads < readsAtOnce && port.Guest is { Available: > 0 }; reads++)
                {
                    Receive(network, port);
                }

                waitsForMore |= port.PartialLength > 0;
                frames += port.Tally.FramesReceived;
            }

            _networks.ForEach(network => network.Services.Send(network));
            Wake();
        }

        return frames;
    }
}
