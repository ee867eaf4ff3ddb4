using System.Net.Sockets;
using CsCheck;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class FrameQueueTests
{
    private const int Limit = 20_000;

    [Fact]
    public void Frames_come_out_whole_and_in_order_wherever_they_were_cut_and_however_the_socket_takes_them()
    {
        (Socket near, Socket far) = Pair();
        using (near)
        using (far)
        {
            Gen.Select(Gen.Int[1, 3000].Array[1, 60], Gen.Int[0, 9000], Gen.Int[1, 5000]).Sample((lengths, cut, step) =>
            {
                byte[][] frames = [.. lengths.Select((length, index) => GatewayFixture.Bytes(length, index))];
                byte[] all = [.. frames.SelectMany(frame => SwitchGuest.Framed(frame))];
                cut = Math.Min(cut, all.Length - 1);
                (List<byte> expected, List<byte[]> whole) = Model(frames, cut);
                var queue = new FrameQueue(Limit);
                int dropped = queue.Append(all, cut);
                List<byte[]> copies = [.. queue.Copy()];
                List<byte> taken = [];
                var buffer = new byte[step];
                while (!queue.IsEmpty)
                {
                    queue.WriteTo(near, rest: queue.IsInsideFrame);
                    taken.AddRange(buffer.AsSpan(0, far.Receive(buffer)));
                }

                while (far.Available > 0)
                {
                    taken.AddRange(buffer.AsSpan(0, far.Receive(buffer)));
                }

                queue.Release();
                return copies.Zip(whole).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second)) && copies.Count == whole.Count
                    && taken.SequenceEqual(expected) && queue.Count == 0
                    && dropped == frames.Length - whole.Count - CutFrames(frames, cut);
            }, iter: 200, threads: 1);
        }
    }

    [Fact]
    public void Only_the_rest_of_a_frame_is_written_when_asked()
    {
        (Socket near, Socket far) = Pair();
        using (near)
        using (far)
        {
            var queue = new FrameQueue(Limit);
            queue.Append([.. SwitchGuest.Framed(new byte[100]), .. SwitchGuest.Framed(new byte[50])], written: 30);
            Assert.True(queue.IsInsideFrame);
            Assert.Equal(SocketError.Success, queue.WriteTo(near, rest: true));
            Assert.Equal((74, 1, false), (far.Available, queue.Count, queue.IsInsideFrame));
            Assert.Equal(SocketError.Success, queue.WriteTo(near, rest: true));
            Assert.Equal(74, far.Available);
            Assert.Equal(SocketError.Success, queue.WriteTo(near, rest: false));
            Assert.Equal((128, true), (far.Available, queue.IsEmpty));
        }
    }

    /// <summary>What the socket still has to get, and the frames none of which was written.</summary>
    private static (List<byte> Bytes, List<byte[]> Whole) Model(byte[][] frames, int cut)
    {
        List<byte> bytes = [];
        List<byte[]> whole = [];
        int at = 0;
        foreach (byte[] frame in frames)
        {
            byte[] framed = SwitchGuest.Framed(frame);
            if (at < cut)
            {
                bytes.AddRange(framed.Skip(cut - at));
            }
            else if (bytes.Count + framed.Length <= Limit)
            {
                bytes.AddRange(framed);
                whole.Add(frame);
            }

            at += framed.Length;
        }

        return (bytes, whole);
    }

    private static int CutFrames(byte[][] frames, int cut)
    {
        int at = 0;
        return frames.Count(frame => (at += 4 + frame.Length) - 4 - frame.Length < cut);
    }

    private static (Socket Near, Socket Far) Pair()
    {
        string path = Path.Combine(Path.GetTempPath(), "vq-" + Guid.NewGuid().ToString("N")[..12]);
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        var near = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        near.Connect(new UnixDomainSocketEndPoint(path));
        Socket far = listener.Accept();
        File.Delete(path);
        near.SendBufferSize = 5000;
        near.Blocking = false;
        return (near, far);
    }
}
