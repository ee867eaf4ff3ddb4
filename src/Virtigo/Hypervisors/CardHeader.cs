namespace Virtigo.Hypervisors;

/// <summary>Does to a frame what the card left to be done.</summary>
/// <param name="header">What the card says of it.</param>
/// <param name="frame">The frame.</param>
/// <returns>False when the frame cannot be passed on.</returns>
internal delegate bool FrameCompletion(ReadOnlySpan<byte> header, Span<byte> frame);

/// <summary>What the packets of a card begin with, before the frame.</summary>
/// <param name="Size">Its size in bytes, at most 12.</param>
/// <param name="Complete">Does what it asks for.</param>
internal sealed record CardHeader(int Size, FrameCompletion Complete)
{
    /// <summary>Nothing: a packet is a frame.</summary>
    public static CardHeader None { get; } = new(0, (_, _) => true);
}
