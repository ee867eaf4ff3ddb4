using CsCheck;
using Virtigo.Environments;
using Xunit;

namespace Virtigo.Tests.Environments;

public sealed class ControlWireTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_sent_is_read()
    {
        await Gen.Select(Gen.Int[(int)ControlFrameType.Request, (int)ControlFrameType.Failure], Gen.Byte.Array[0, 5000]).Array[0, 5].SampleAsync(async sent =>
        {
            using var stream = new MemoryStream();
            await using var wire = new ControlWire(stream);
            foreach ((int type, byte[] payload) in sent)
            {
                await wire.SendAsync((ControlFrameType)type, payload, Token);
            }

            stream.Position = 0;
            foreach ((int type, byte[] payload) in sent)
            {
                ControlFrame frame = (await wire.ReadAsync(Token))!.Value;
                Assert.Equal((ControlFrameType)type, frame.Type);
                Assert.Equal(payload, frame.Payload.ToArray());
            }

            Assert.Null(await wire.ReadAsync(Token));
        }, iter: 200, threads: 1);
    }

    [Fact]
    public async Task Any_bytes_are_frames_or_refused() =>
        await Gen.Byte.Array[0, 100].SampleAsync(async bytes =>
        {
            await using var wire = new ControlWire(new MemoryStream(bytes));
            try
            {
                while (await wire.ReadAsync(Token) is { } frame)
                {
                    Assert.True(frame.Payload.Length <= bytes.Length);
                }
            }
            catch (InvalidDataException)
            {
                // Refused.
            }
        }, iter: 2000, threads: 1);

    [Fact]
    public async Task A_frame_longer_than_any_is_refused_before_it_is_read()
    {
        await using var wire = new ControlWire(new MemoryStream([(byte)ControlFrameType.Input, 0x7f, 0xff, 0xff, 0xff]));
        await Assert.ThrowsAsync<InvalidDataException>(() => wire.ReadAsync(Token).AsTask());
    }
}
