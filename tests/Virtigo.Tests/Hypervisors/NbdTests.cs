using System.Net.Sockets;
using CsCheck;
using Virtigo.Hypervisors.Qemu.Nbd;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class NbdTests
{
    private const int Size = 1 << 20;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_and_a_server_agree_on_every_byte()
    {
        (NetworkStream ours, NetworkStream theirs) = SocketPair.Create();
        var store = new MemoryStore(Size);
        Task serving = NbdServer.ServeAsync(theirs, Size, Task.FromResult<IBlockStore>(store), Token);
        await using NbdClient client = await NbdClient.ConnectAsync(ours, Token);
        byte[] data = [.. Enumerable.Range(0, 70_000).Select(each => (byte)(each % 251))];

        await client.WriteAsync(1000, data, Token);
        await client.ZeroAsync(2000, 512, Token);
        await client.FlushAsync(Token);
        byte[] read = new byte[data.Length];
        await client.ReadAsync(1000, read, Token);

        data.AsSpan(1000, 512).Clear();
        Assert.Equal(Size, client.Size);
        Assert.Equal(data, read);
        Assert.Equal(data, store.Bytes.AsSpan(1000, data.Length));
        Assert.Equal(1, store.Flushes);
        await client.DisconnectAsync(Token);
        await serving.WaitAsync(s_limit, Token);
    }

    [Fact]
    public async Task What_lies_outside_the_disk_or_fails_is_answered_as_an_error_and_the_next_request_works()
    {
        (NetworkStream ours, NetworkStream theirs) = SocketPair.Create();
        var store = new MemoryStore(Size) { Full = true };
        Task serving = NbdServer.ServeAsync(theirs, Size, Task.FromResult<IBlockStore>(store), Token);
        await using NbdClient client = await NbdClient.ConnectAsync(ours, Token);

        Assert.Equal(NbdWire.Invalid, (await Assert.ThrowsAsync<NbdException>(() => client.WriteAsync(Size - 511, new byte[512], Token))).Error);
        Assert.Equal(NbdWire.Invalid, (await Assert.ThrowsAsync<NbdException>(() => client.ReadAsync(-1, new byte[512], Token))).Error);
        Assert.Equal(NbdWire.Invalid, (await Assert.ThrowsAsync<NbdException>(() => client.ZeroAsync(long.MaxValue, 512, Token))).Error);
        Assert.Equal(NbdWire.NoSpace, (await Assert.ThrowsAsync<NbdException>(() => client.WriteAsync(0, new byte[512], Token))).Error);
        store.Full = false;
        await client.WriteAsync(Size - 512, new byte[512], Token);
        await client.DisconnectAsync(Token);
        await serving.WaitAsync(s_limit, Token);
    }

    [Fact]
    public async Task A_request_waits_until_there_is_a_disk()
    {
        (NetworkStream ours, NetworkStream theirs) = SocketPair.Create();
        var opening = new TaskCompletionSource<IBlockStore>();
        Task serving = NbdServer.ServeAsync(theirs, Size, opening.Task, Token);
        await using NbdClient client = await NbdClient.ConnectAsync(ours, Token);
        Task flushing = client.FlushAsync(Token);
        Assert.False(flushing.IsCompleted);

        opening.SetResult(new MemoryStore(Size));

        await flushing.WaitAsync(s_limit, Token);
        await client.DisconnectAsync(Token);
        await serving.WaitAsync(s_limit, Token);
    }

    [Fact]
    public async Task A_client_that_hangs_up_ends_the_serving()
    {
        (NetworkStream ours, NetworkStream theirs) = SocketPair.Create();
        Task serving = NbdServer.ServeAsync(theirs, Size, Task.FromResult<IBlockStore>(new MemoryStore(Size)), Token);
        await using (await NbdClient.ConnectAsync(ours, Token))
        {
        }

        await serving.WaitAsync(s_limit, Token);
    }

    [Fact]
    public void Whatever_a_client_sends_the_server_ends_with_a_known_error_and_the_disk_keeps_its_size()
    {
        Gen<byte[]> option = Gen.Select(Gen.UInt[0, 12], Gen.Byte.Array[0, 40], (kind, data) => Option(kind, data));
        Gen<byte[]> request = Gen.Select(Gen.UShort[0, 3], Gen.UShort[0, 8], Gen.OneOf(Gen.ULong[0, Size], Gen.ULong), Gen.OneOf(Gen.UInt[0, 9000], Gen.UInt), Request);
        Gen<byte[]> conversation = Gen.OneOf(
            Gen.Byte.Array[0, 300],
            Gen.Select(option.Array[0, 5], request.Array[0, 8], Gen.Byte.Array[0, 64], (options, requests, rest) =>
                (byte[])[0, 0, 0, 3, .. options.SelectMany(each => each), .. Option(NbdWire.OptionExportName, []), .. requests.SelectMany(each => each), .. rest]));
        conversation.Sample(sent =>
        {
            using var stream = new OneWay(sent);
            Task serving = NbdServer.ServeAsync(stream, Size, Task.FromResult<IBlockStore>(new MemoryStore(Size)), Token);
            Assert.True(serving.IsCompleted);
            Assert.True(serving.Exception?.InnerException is null or InvalidDataException or IOException, serving.Exception?.ToString());
        }, time: 2);
    }

    [Fact]
    public void Whatever_a_server_sends_the_client_ends_with_a_known_error()
    {
        byte[] greeting = [.. Big(NbdWire.Magic), .. Big(NbdWire.OptionMagic), 0, 3, .. Big(Size), 0, 69];
        Gen<byte[]> reply = Gen.Select(Gen.OneOf(Gen.Const(NbdWire.ReplyMagic), Gen.UInt), Gen.UInt[0, 2], Gen.ULong[0, 4], (magic, error, cookie) =>
            (byte[])[.. Big(magic).AsSpan(4), .. Big(error).AsSpan(4), .. Big(cookie)]);
        Gen.OneOf(Gen.Byte.Array[0, 60], Gen.Select(Gen.Int[0, greeting.Length], reply.Array[0, 4], (cut, replies) =>
            (byte[])[.. greeting.AsSpan(0, cut), .. replies.SelectMany(each => each)])).Sample(said =>
        {
            Task talking = TalkAsync(said);
            Assert.True(talking.IsCompleted);
            Assert.True(talking.Exception?.InnerException is null or InvalidDataException or IOException, talking.Exception?.ToString());
        }, time: 1);

        static async Task TalkAsync(byte[] said)
        {
            await using NbdClient client = await NbdClient.ConnectAsync(new OneWay(said), Token);
            await client.FlushAsync(Token);
            await client.ReadAsync(0, new byte[100], Token);
        }
    }

    private static byte[] Big(ulong value)
    {
        byte[] bytes = BitConverter.GetBytes(value);
        Array.Reverse(bytes);
        return bytes;
    }

    private static byte[] Option(uint kind, byte[] data) => [.. Big(NbdWire.OptionMagic), .. Big(kind).AsSpan(4), .. Big((ulong)data.Length).AsSpan(4), .. data];

    private static byte[] Request(ushort flags, ushort type, ulong offset, uint length)
    {
        byte[] request = new byte[NbdWire.RequestLength];
        NbdWire.Format(request, new NbdRequest(flags, type, 1, offset, length));
        return type == NbdWire.Write && length < 9000 ? [.. request, .. new byte[length]] : request;
    }

    /// <summary>Says what it was told to and swallows everything.</summary>
    private sealed class OneWay(byte[] said) : MemoryStream(said, writable: false)
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;
    }
}
