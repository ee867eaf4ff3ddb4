using System.Net.Sockets;
using System.Text;
using Virtigo.Hypervisors;
using Xunit;

namespace Virtigo.Tests.Hypervisors;

public sealed class SerialPortTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");
    private readonly NetworkStream _guest;
    private readonly NetworkStream _host;

    public SerialPortTests() => (_host, _guest) = SocketPair.Create();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string LogPath => Path.Combine(_folder.FullName, "log");

    public void Dispose()
    {
        _guest.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_flood_leaves_its_beginning_and_its_end_and_says_how_much_is_missing()
    {
        const int limit = 10_000;
        await using var port = new SerialPort("console", _host, new SerialLog(LogPath, appends: false, limit));
        byte[] block = new byte[1 << 20];
        Array.Fill(block, (byte)'x');
        await _guest.WriteAsync("first"u8.ToArray(), Token);
        for (int i = 0; i < 8; i++)
        {
            await _guest.WriteAsync(block, Token);
        }

        await _guest.WriteAsync("last"u8.ToArray(), Token);
        _guest.Dispose();
        await port.Ended.WaitAsync(Soon, Token);

        string log = await File.ReadAllTextAsync(LogPath, Token);
        long missing = 5 + (8 << 20) + 4 - limit - SerialPort.MemoryLimit;
        Assert.StartsWith("firstxxx", log, StringComparison.Ordinal);
        Assert.EndsWith("xxxlast", log, StringComparison.Ordinal);
        Assert.Contains($"\n[virtigo: {missing} bytes left out]\n", log, StringComparison.Ordinal);
        Assert.InRange(log.Length, limit, limit + SerialPort.MemoryLimit + 100);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(LogPath));
    }

    [Fact]
    public async Task A_log_just_above_its_limit_is_complete()
    {
        await using var port = new SerialPort("console", _host, new SerialLog(LogPath, appends: false, 3));
        await _guest.WriteAsync("0123456789"u8.ToArray(), Token);
        _guest.Dispose();
        await port.Ended.WaitAsync(Soon, Token);

        Assert.Equal("0123456789", await File.ReadAllTextAsync(LogPath, Token));
    }

    [Fact]
    public async Task Streams_opened_early_and_late_read_the_same()
    {
        await using var port = new SerialPort("console", _host, null);
        using Stream early = port.Open();
        await _guest.WriteAsync("one "u8.ToArray(), Token);
        byte[] four = new byte[4];
        await early.ReadExactlyAsync(four, Token);
        using Stream late = port.Open();
        await _guest.WriteAsync("two"u8.ToArray(), Token);
        _guest.Dispose();
        await port.Ended.WaitAsync(Soon, Token);
        using Stream after = port.Open();

        Assert.Equal("one ", Encoding.ASCII.GetString(four));
        Assert.Equal("two", await RestAsync(early));
        Assert.Equal("one two", await RestAsync(late));
        Assert.Equal("one two", await RestAsync(after));
    }

    [Fact]
    public async Task A_slow_reader_loses_nothing_and_does_not_keep_a_dead_guest_alive()
    {
        // What is above twice the memory waits in the socket: the guest can end, the port not yet. It is little, since Linux wakes
        // the writer of a unix socket only when three quarters of its buffer are free.
        const int total = (2 * SerialPort.MemoryLimit) + (16 << 10);
        await using var port = new SerialPort("console", _host, null);
        using Stream slow = port.Open();
        await _guest.WriteAsync(new byte[total], Token).AsTask().WaitAsync(Soon, Token);
        _guest.Dispose();
        Assert.False(port.Ended.IsCompleted);

        await port.DrainAsync().WaitAsync(Soon, Token);

        Assert.Equal(total, (await RestAsync(slow)).Length);
    }

    [Fact]
    public async Task A_reader_that_is_gone_does_not_hold_the_guest_up()
    {
        await using var port = new SerialPort("console", _host, null);
        port.Open().Dispose();

        await _guest.WriteAsync(new byte[8 << 20], Token).AsTask().WaitAsync(Soon, Token);
        _guest.Dispose();
        await port.Ended.WaitAsync(Soon, Token);
    }

    [Fact]
    public async Task What_is_typed_reaches_the_guest()
    {
        await using var port = new SerialPort("console", _host, null);
        using Stream stream = port.Open();
        await stream.WriteAsync("root\n"u8.ToArray(), Token);

        byte[] typed = new byte[5];
        await _guest.ReadExactlyAsync(typed, Token);
        Assert.Equal("root\n", Encoding.ASCII.GetString(typed));
    }

    private static async Task<string> RestAsync(Stream stream)
    {
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync(Token);
    }

    [Fact]
    public async Task A_stream_that_is_given_up_while_it_is_read_says_so_and_nothing_else()
    {
        await using var port = new SerialPort("console", _host, null);
        for (int round = 0; round < 300; round++)
        {
            Stream stream = port.Open();
            Task<int> reading = Task.Run(async () =>
            {
                int read = 0;
                while (await stream.ReadAsync(new byte[64], Token) is > 0 and int more)
                {
                    read += more;
                }

                return read;
            }, Token);
            await _guest.WriteAsync(new byte[100], Token);
            await stream.DisposeAsync();
            try
            {
                await reading.WaitAsync(Soon, Token);
            }
            catch (ObjectDisposedException)
            {
                // As expected of what is disposed.
            }
        }
    }
}
