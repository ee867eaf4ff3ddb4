namespace Virtigo.Networks;

/// <summary>What happened at one port since the switch started.</summary>
/// <param name="FramesReceived">Frames from the guest.</param>
/// <param name="BytesReceived">Their bytes, Ethernet headers included.</param>
/// <param name="FramesSent">Frames accepted for the guest.</param>
/// <param name="BytesSent">Their bytes, Ethernet headers included.</param>
/// <param name="Dropped">Frames for the guest thrown away since it did not take those before, or was not there.</param>
/// <param name="Invalid">Frames from the guest that are none: too short, from a group address, or (when checked) from another's.</param>
/// <param name="Oversized">Frames from the guest longer than the network's MTU allows.</param>
/// <param name="Faulted">Frames from the guest that a fault lost, for each receiver that did not get them.</param>
/// <param name="BrokenStreams">Connections ended since a length made no sense.</param>
/// <param name="Connections">How often a guest connected.</param>
internal readonly record struct PortCounters(long FramesReceived, long BytesReceived, long FramesSent, long BytesSent, long Dropped, long Invalid,
    long Oversized, long Faulted, long BrokenStreams, long Connections);
