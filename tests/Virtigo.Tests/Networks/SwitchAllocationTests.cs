using Xunit;

namespace Virtigo.Tests.Networks;

/// <summary>Runs while no other test does: what is allocated is counted over the whole process.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class CountsAllocations
{
    public const string Name = "counts allocations";
}

[Collection(CountsAllocations.Name)]
public sealed class SwitchAllocationTests
{
    private const int Batch = 500;
    private const int Batches = 40;

    [Theory]
    [InlineData(60)]
    [InlineData(1514)]
    public async Task A_frame_that_passes_costs_no_memory(int length)
    {
        await using SwitchFixture lan = SwitchFixture.Start("lan: a b");
        SwitchGuest a = await lan.ConnectAsync("a");
        SwitchGuest b = await lan.ConnectAsync("b");
        await b.SayAsync("a", "here I am");
        await a.HearAsync();
        byte[] frames = [.. Enumerable.Repeat(SwitchGuest.Framed(SwitchGuest.Frame(b.Port.Mac, a.Port.Mac, "hello", length)), Batch).SelectMany(frame => frame)];
        Pass(frames, a, b, Batches / 10);

        long before = GC.GetTotalAllocatedBytes(precise: true);
        Pass(frames, a, b, Batches);
        long each = (GC.GetTotalAllocatedBytes(precise: true) - before) / (Batch * Batches);

        // The smallest object has 24 bytes; what the test runner does meanwhile is far less than one for each frame.
        Assert.InRange(each, 0, 8);
    }

    /// <summary>Sends without waiting for room, so that one thread can do both.</summary>
    private static void Pass(byte[] frames, SwitchGuest from, SwitchGuest to, int times)
    {
        Span<byte> received = new byte[1 << 17];
        for (int time = 0; time < times; time++)
        {
            for (int sent = 0, taken = 0; taken < frames.Length;)
            {
                if (sent < frames.Length && from.Socket.Poll(TimeSpan.Zero, System.Net.Sockets.SelectMode.SelectWrite))
                {
                    sent += from.Socket.Send(frames.AsSpan(sent, Math.Min(4096, frames.Length - sent)));
                }

                if (to.Socket.Available > 0 || sent == frames.Length)
                {
                    taken += to.Socket.Receive(received);
                }
            }
        }
    }
}
