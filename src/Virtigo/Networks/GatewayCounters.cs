namespace Virtigo.Networks;

/// <summary>What a gateway has seen and done since it began to listen. Values only grow; each is read whole, not all of one instant.</summary>
internal sealed class GatewayCounters
{
    /// <summary>Frames from the guest.</summary>
    public long FramesReceived { get; private set; }

    /// <summary>Bytes of these frames, Ethernet headers included.</summary>
    public long BytesReceived { get; private set; }

    /// <summary>Frames to the guest.</summary>
    public long FramesSent { get; private set; }

    /// <summary>Bytes of these frames, Ethernet headers included.</summary>
    public long BytesSent { get; private set; }

    /// <summary>Frames for the guest thrown away since it did not take the ones before.</summary>
    public long FramesDropped { get; private set; }

    /// <summary>Frames of the guest's whose lengths, checksums or fields were wrong.</summary>
    public long Malformed { get; private set; }

    /// <summary>Frames of the guest's that nobody here speaks, IPv6 above all.</summary>
    public long Ignored { get; private set; }

    /// <summary>DHCP messages answered.</summary>
    public long DhcpAnswers { get; private set; }

    /// <summary>DNS questions answered, refusals included.</summary>
    public long DnsAnswers { get; private set; }

    /// <summary>TCP connections established.</summary>
    public long Connections { get; private set; }

    /// <summary>TCP connections refused since as many were open as are allowed.</summary>
    public long ConnectionsOverLimit { get; private set; }

    /// <summary>TCP segments sent again.</summary>
    public long Retransmissions { get; private set; }

    /// <summary>Connections whose handler failed, and links that broke for a reason of ours.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    private long _failures;

    public void CountReceived(int length)
    {
        FramesReceived++;
        BytesReceived += length;
    }

    public void CountSent(int length)
    {
        FramesSent++;
        BytesSent += length;
    }

    public void CountDropped() => FramesDropped++;

    public void CountMalformed() => Malformed++;

    public void CountIgnored() => Ignored++;

    public void CountDhcpAnswer() => DhcpAnswers++;

    public void CountDnsAnswer() => DnsAnswers++;

    public void CountConnection() => Connections++;

    public void CountConnectionOverLimit() => ConnectionsOverLimit++;

    public void CountRetransmission() => Retransmissions++;

    /// <summary>Unlike the others this comes from outside the gateway's lock.</summary>
    public void CountFailure() => Interlocked.Increment(ref _failures);
}
