using System.IO.Pipelines;
using System.Text;
using Virtigo.Cli.Output;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Cli;

public sealed class ConsoleBridgeTests : IDisposable
{
    private readonly Pipe _toMachine = new();
    private readonly Pipe _fromMachine = new();
    private readonly Pipe _keyboard = new();
    private readonly MemoryStream _screen = new();
    private readonly StringBuilder _sysRq = new();
    private readonly TaskCompletionSource _ended = new();

    public void Dispose() => _screen.Dispose();

    private Task<bool> Run(CancellationToken token) => ConsoleBridge.RunAsync(
        new Duplex(_fromMachine.Reader.AsStream(), _toMachine.Writer.AsStream()), _keyboard.Reader.AsStream(), _screen,
        (key, _) =>
        {
            _sysRq.Append(key);
            return Task.CompletedTask;
        },
        _ended.Task, token);

    private static ValueTask<FlushResult> Send(Pipe pipe, string text) =>
        pipe.Writer.WriteAsync(Encoding.ASCII.GetBytes(text), TestContext.Current.CancellationToken);

    [Fact]
    public async Task What_is_typed_before_the_escape_reaches_the_machine_and_the_escape_leaves()
    {
        Task<bool> running = Run(TestContext.Current.CancellationToken);
        await Send(_keyboard, "ls\r\x03\x1dnot this");
        Assert.True(await running);
        ReadResult typed = await _toMachine.Reader.ReadAsync(TestContext.Current.CancellationToken);
        Assert.Equal("ls\r\x03", Encoding.ASCII.GetString(typed.Buffer));
    }

    [Fact]
    public async Task A_key_after_the_command_key_is_a_SysRq_command_and_twice_it_is_itself()
    {
        Task<bool> running = Run(TestContext.Current.CancellationToken);
        await Send(_keyboard, "a\u001e");
        await Send(_keyboard, "Sb\u001em\u001e\u001ec\u001e\r\u001e\u001d");
        Assert.True(await running);
        ReadResult typed = await _toMachine.Reader.ReadAsync(TestContext.Current.CancellationToken);
        Assert.Equal("ab\u001ec", Encoding.ASCII.GetString(typed.Buffer));
        Assert.Equal("sm", _sysRq.ToString());
    }

    [Fact]
    public async Task The_end_of_the_input_ends_nothing_and_the_end_of_the_machine_shows_all_it_said()
    {
        Task<bool> running = Run(TestContext.Current.CancellationToken);
        await _keyboard.Writer.CompleteAsync();
        await Send(_fromMachine, "login: ");
        await Send(_fromMachine, "power down");
        _ended.SetResult();
        await _fromMachine.Writer.CompleteAsync();
        Assert.False(await running);
        Assert.Equal("login: power down", Encoding.ASCII.GetString(_screen.ToArray()));
    }

    [Fact]
    public async Task Cancelling_ends_it()
    {
        using var stop = new CancellationTokenSource();
        Task<bool> running = Run(stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    private sealed class Duplex(Stream read, Stream write) : ForwardStream
    {
        public override bool CanWrite => true;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            read.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            write.WriteAsync(buffer, cancellationToken);

        public override Task FlushAsync(CancellationToken cancellationToken) => write.FlushAsync(cancellationToken);

        public override void Flush() => write.Flush();

        public override int Read(byte[] buffer, int offset, int count) => read.Read(buffer, offset, count);

        public override void Write(byte[] buffer, int offset, int count) => write.Write(buffer, offset, count);
    }
}
