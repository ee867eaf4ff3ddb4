using System.Diagnostics;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.Tests.Machines;

/// <summary>A real shell on a real terminal, driven as a guest's serial console is.</summary>
public sealed class SerialShellTests : IAsyncLifetime
{
    private readonly Process _script = Process.Start(new ProcessStartInfo("script", ["-qfc", "/bin/sh -i", "/dev/null"])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
    })!;

    private readonly SerialShell _shell;

    public SerialShellTests() => _shell = new SerialShell(
        new TwoWayStream(_script.StandardOutput.BaseStream, _script.StandardInput.BaseStream), TimeProvider.System);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _script.Kill(entireProcessTree: true);
        await _shell.DisposeAsync();
        await _script.WaitForExitAsync(CancellationToken.None);
        _script.Dispose();
    }

    [Fact]
    public async Task Commands_of_any_characters_and_length_run_and_tell_their_exit_code()
    {
        string text = "it's \\ \"$x\"\ttab é\x03 " + new string('z', 5000);

        CommandResult result = await _shell.ExecuteAsync(
            "printf %s \"$V\"; exit 7", new CommandOptions { Environment = new Dictionary<string, string> { ["V"] = text } }, Token);

        Assert.Equal(7, result.ExitCode);
        Assert.Equal(text.Replace("\x03", "", StringComparison.Ordinal), result.Output);
    }

    [Fact]
    public async Task A_command_that_is_given_up_is_interrupted_and_the_next_one_runs()
    {
        await _shell.WaitAsync(Token);
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _shell.ExecuteAsync("sleep 60", new CommandOptions(), soon.Token));

        Assert.Equal("ok\n", (await _shell.ExecuteAsync("echo ok", new CommandOptions(), Token)).Output);
    }

    [Fact]
    public async Task Output_is_bounded_and_streams_are_refused()
    {
        CommandResult result = await _shell.ExecuteAsync("head -c 300000 /dev/zero | tr '\\0' x", new CommandOptions { OutputLimit = 1000 }, Token);

        Assert.Equal((1000, true), (result.Output.Length, result.Truncated));
        VirtigoException refused = await Assert.ThrowsAsync<VirtigoException>(() => _shell.ConnectAsync("80", Token));
        Assert.Contains("agent", refused.Message, StringComparison.Ordinal);
    }

    private sealed class TwoWayStream(Stream from, Stream to) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => from.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => from.ReadAsync(buffer, cancellationToken);

        public override void Write(byte[] buffer, int offset, int count) => to.Write(buffer, offset, count);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await to.WriteAsync(buffer, cancellationToken);
            await to.FlushAsync(cancellationToken);
        }

        public override void Flush() => to.Flush();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
