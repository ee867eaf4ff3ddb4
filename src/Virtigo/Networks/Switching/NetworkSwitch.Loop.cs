using System.Net.Sockets;

namespace Virtigo.Networks;

internal sealed partial class NetworkSwitch
{
    private const int ReadSize = 256 * 1024;

    private readonly byte[] _buffer = new byte[ReadSize + FrameOutput.PrefixSize + GuestLinkSession.LongestFrame];

    private long _allocated;

    /// <summary>The bytes of managed memory that the switch's thread has allocated ever. Frames between guests add nothing.</summary>
    public long AllocatedBytes => Interlocked.Read(ref _allocated);

    /// <summary>The switch's thread.</summary>
    private void Run()
    {
        try
        {
            int timeout = 0;
            while (true)
            {
                int ready = _epoll.Wait(timeout);
                lock (_gate)
                {
                    if (_isEnding)
                    {
                        return;
                    }

                    _isWoken = false;
                    for (int i = 0; i < ready; i++)
                    {
                        (ulong tag, EpollEvents events) = _epoll[i];
                        if (tag < (ulong)_ports.Count)
                        {
                            Handle(_ports[(int)tag].Network, _ports[(int)tag].Port, events);
                        }
                    }

                    timeout = Work();
                    Interlocked.Exchange(ref _allocated, GC.GetAllocatedBytesForCurrentThread());
                }
            }
        }
        catch (Exception error)
        {
            Options.OnFailure?.Invoke(error);
        }
        finally
        {
            _ended.TrySetResult();
        }
    }

    /// <summary>Lets the switch's thread look around. Called with the lock held, by any thread.</summary>
    private void Wake()
    {
        if (!_isWoken && !_isEnding)
        {
            _isWoken = true;
            _epoll.Wake();
        }
    }

    private void Handle(SwitchedNetwork network, SwitchedPort port, EpollEvents events)
    {
        try
        {
            if (port.Guest is null)
            {
                port.Accept();
                _shared.MarkDirty(port);
                return;
            }

            if ((events & EpollEvents.Writable) != 0)
            {
                _shared.MarkDirty(port);
            }

            if ((events & (EpollEvents.Readable | EpollEvents.HungUp | EpollEvents.Error)) != 0)
            {
                Receive(network, port);
            }
        }
        catch (Exception error) when (error is not VirtigoException)
        {
            Disconnect(network, port);
            Options.OnFailure?.Invoke(error);
        }
    }

    private void Receive(SwitchedNetwork network, SwitchedPort port)
    {
        int kept = port.PartialLength;
        int count = port.Guest!.Receive(_buffer.AsSpan(kept), SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
        {
            return;
        }

        if (error != SocketError.Success || count == 0)
        {
            Disconnect(network, port);
            return;
        }

        port.CopyPartial(_buffer);
        ReadOnlySpan<byte> bytes = _buffer.AsSpan(0, kept + count);
        int used = network.Receive(port, bytes);
        if (used < 0)
        {
            port.Tally.BrokenStreams++;
            Disconnect(network, port);
        }
        else
        {
            port.KeepPartial(bytes[used..]);
        }
    }

    /// <returns>How long nothing needs to be done unless something arrives, in milliseconds; negative for ever.</returns>
    private int Work()
    {
        long now = _shared.Now;
        if (!_shared.IsFrozen)
        {
            while (_shared.Held.TryTake(now, out HeldFrame frame))
            {
                _networks[frame.Network].Arrive(frame);
                _shared.Held.Return(frame);
            }
        }

        int timeout = -1;
        foreach (SwitchedNetwork network in _networks)
        {
            network.Services.Tick();
            network.Services.Send(network);
            if (network.Services.HasConnections)
            {
                timeout = (int)Options.Tcp.Tick.TotalMilliseconds;
            }
        }

        Flush();
        if (!_shared.IsFrozen && _shared.Held.TryPeek(out long due))
        {
            int wait = (int)Math.Min(int.MaxValue, (due - now + TimeSpan.TicksPerMillisecond - 1) / TimeSpan.TicksPerMillisecond);
            timeout = timeout < 0 ? wait : Math.Min(wait, timeout);
        }

        return timeout;
    }

    private void Flush()
    {
        for (int i = 0; i < _shared.Dirty.Count; i++)
        {
            SwitchedPort port = _shared.Dirty[i];
            port.IsDirty = false;
            if (!port.Flush(restOnly: _shared.IsFrozen))
            {
                Disconnect(_ports[(int)port.Tag].Network, port);
            }
        }

        _shared.Dirty.Clear();
    }

    private static void Disconnect(SwitchedNetwork network, SwitchedPort port)
    {
        port.Disconnect();
        network.Forget(port);
    }
}
