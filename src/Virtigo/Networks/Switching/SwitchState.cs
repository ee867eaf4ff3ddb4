namespace Virtigo.Networks;

/// <summary>What a switch knew and had in flight at one instant. Times are ticks of 100 ns, counted from that instant.</summary>
/// <param name="Networks">Each of its networks.</param>
internal sealed record SwitchState(IReadOnlyList<SwitchNetworkState> Networks)
{
    /// <summary>The number of frames in flight.</summary>
    public int Frames => Networks.Sum(network => network.Held.Count + network.Queued.Count);

    /// <summary>The state as bytes.</summary>
    public byte[] ToBytes() => SwitchStateFormat.Write(this);

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Internal"/>: the bytes are no such state, or one of another version.</exception>
    public static SwitchState Read(ReadOnlySpan<byte> bytes) => SwitchStateFormat.Read(bytes);
}

/// <summary>One network of a <see cref="SwitchState"/>. Ports are indexes of <paramref name="Machines"/>.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Machines">The machines at its ports.</param>
/// <param name="Learned">Which port each Ethernet address was seen at.</param>
/// <param name="Links">The links that have or had a fault.</param>
/// <param name="Held">Frames that faults hold back, soonest first.</param>
/// <param name="Queued">Frames that guests had not taken yet, oldest first.</param>
internal sealed record SwitchNetworkState(string Name, IReadOnlyList<string> Machines, IReadOnlyList<LearnedMac> Learned,
    IReadOnlyList<LinkState> Links, IReadOnlyList<HeldFrameState> Held, IReadOnlyList<QueuedFrameState> Queued);

/// <summary>An Ethernet address and its port.</summary>
internal readonly record struct LearnedMac(MacAddress Mac, int Port);

/// <summary>A link: its ends, its fault, and what its next decisions depend on.</summary>
internal sealed record LinkState(int From, int To, LinkFault Fault, bool IsCut, (ulong A, ulong B, ulong C, ulong D) Random, long BusyUntil, long LastDue);

/// <summary>A frame and when it arrives.</summary>
internal sealed record HeldFrameState(int From, int To, long Due, byte[] Frame);

/// <summary>A frame that waits for a guest.</summary>
internal sealed record QueuedFrameState(int Port, byte[] Frame);
