using System.Net.Sockets;
using CsCheck;
using Virtigo.Machines;
using Virtigo.Tests.Hypervisors;
using Xunit;

namespace Virtigo.Tests.Machines;

public sealed class HostileGuestTests : IAsyncLifetime
{
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(10);
    private readonly NetworkStream _guest;
    private readonly GuestChannel _channel;

    public HostileGuestTests()
    {
        (NetworkStream host, _guest) = SocketPair.Create();
        _channel = new GuestChannel(host);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _guest.Dispose();
        await _channel.DisposeAsync();
    }

    [Fact]
    public async Task The_answer_to_a_reset_is_found_in_any_noise()
    {
        await _guest.WriteAsync(new byte[200_000], Token);
        Task<string> resetting = _channel.ResetAsync(null, default, Token);
        byte[] nonce = await HearResetAsync();
        byte[] wrong = new byte[16];
        await _guest.WriteAsync((byte[])[0, 0, 0, 40, .. GuestFrame.Magic, .. wrong], Token);
        await _guest.WriteAsync(Answer(nonce, "an-id"), Token);

        Assert.Equal("an-id", await resetting.WaitAsync(s_soon, Token));
        Assert.True(_channel.IsReady);
    }

    [Fact]
    public async Task More_output_than_allowed_breaks_the_channel_by_name()
    {
        GuestStream stream = await OpenAsync();
        byte[] piece = new byte[GuestFrame.Longest];
        for (int sent = 0; sent <= GuestFrame.Window; sent += piece.Length)
        {
            await _guest.WriteAsync(GuestFrame.Build(stream.Id, GuestFrameType.Output, piece), Token);
        }

        await AssertBrokenAsync(stream, "more output than it was allowed");
    }

    [Theory]
    [InlineData(99, GuestFrameType.Output, 1, "not open")]
    [InlineData(0, GuestFrameType.Output, 1, "outside of streams")]
    [InlineData(1, GuestFrameType.Output, 0, "type 0x4f")]
    [InlineData(1, GuestFrameType.Credit, 4, "granted more input")]
    [InlineData(1, GuestFrameType.Credit, 3, "type 0x63")]
    [InlineData(1, (byte)'?', 4, "type 0x3f")]
    [InlineData(1, GuestFrameType.Output, GuestFrame.Longest + 1, "announced 65537 bytes")]
    public async Task What_a_guest_may_not_send_breaks_the_channel_by_name(uint id, byte type, int length, string expected)
    {
        GuestStream stream = await OpenAsync();
        byte[] payload = new byte[length];
        payload.AsSpan().Fill(1);
        await _guest.WriteAsync(GuestFrame.Build(id == 1 ? stream.Id : id, type, payload), Token);

        await AssertBrokenAsync(stream, expected);
        VirtigoException error = Assert.Throws<VirtigoException>(() => _channel.Open(GuestFrameType.Command, default));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broken_channel_takes_a_flood_without_growing_and_a_reset_mends_it()
    {
        await OpenAsync();
        await _guest.WriteAsync(GuestFrame.Build(7777, GuestFrameType.Output, 1), Token);
        byte[] flood = new byte[1 << 20];
        for (int i = 0; i < 50; i++)
        {
            await _guest.WriteAsync(flood, Token).AsTask().WaitAsync(s_soon, Token);
        }

        Task<string> resetting = _channel.ResetAsync(null, default, Token);
        await _guest.WriteAsync(Answer(await HearResetAsync(), ""), Token);
        await resetting.WaitAsync(s_soon, Token);
        Assert.True(_channel.IsReady);
    }

    [Fact]
    public async Task Streams_are_few()
    {
        await OpenAsync();
        for (int i = _channel.Count; i < 256; i++)
        {
            _channel.Open(GuestFrameType.Command, default);
        }

        Assert.Contains("no more", Assert.Throws<VirtigoException>(() => _channel.Open(GuestFrameType.Command, default)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Whatever_a_stream_receives_is_taken_or_refused_by_name()
    {
        Gen<byte> types = Gen.OneOf([.. "AOFQqcT!RPx"u8.ToArray().Select(type => (Gen<byte>)Gen.Const(type)), Gen.Byte]);
        Gen.Select(types, Gen.Byte.Array[0, 40]).Array[1, 30].Sample(frames =>
        {
            var stream = new GuestStream(_channel, 1);
            foreach ((byte type, byte[] payload) in frames)
            {
                string? wrong = stream.Receive(type, payload);
                if (wrong is not null)
                {
                    Assert.NotEmpty(wrong);
                    stream.Fail(new VirtigoException(FailureKind.Guest, wrong), null);
                    return;
                }
            }
        }, iter: 3000);
    }

    private static byte[] Answer(byte[] nonce, string bootId) => GuestFrame.Build(
        0, GuestFrameType.Reset, [.. GuestFrame.Magic, .. nonce, .. System.Text.Encoding.ASCII.GetBytes(bootId)]);

    private async Task<GuestStream> OpenAsync()
    {
        Task<string> resetting = _channel.ResetAsync(null, default, Token);
        await _guest.WriteAsync(Answer(await HearResetAsync(), ""), Token);
        await resetting.WaitAsync(s_soon, Token);
        return _channel.Open(GuestFrameType.Command, default);
    }

    private async Task<byte[]> HearResetAsync()
    {
        byte[] frame = new byte[GuestFrame.HeaderLength + GuestFrame.Reset(new byte[16], null, default).Length];
        await _guest.ReadExactlyAsync(frame, Token);
        while (frame[8] != GuestFrameType.Reset)
        {
            // A frame without payload before it.
            frame.AsSpan(GuestFrame.HeaderLength).CopyTo(frame);
            await _guest.ReadExactlyAsync(frame.AsMemory(frame.Length - GuestFrame.HeaderLength), Token);
        }

        return frame[(GuestFrame.HeaderLength + 16)..(GuestFrame.HeaderLength + 32)];
    }

    private static async Task AssertBrokenAsync(GuestStream stream, string expected)
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => stream.Exited.WaitAsync(s_soon, Token));
        Assert.Equal(FailureKind.Guest, error.Kind);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }
}
