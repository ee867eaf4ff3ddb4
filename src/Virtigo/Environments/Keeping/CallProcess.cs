using System.IO.Pipelines;
using Virtigo.Host;
using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>A program in a machine of a kept environment, with the streams that a program has in a machine of this process.</summary>
internal sealed class CallProcess : IGuestProcessControl
{
    private readonly GuestCall _call;
    private readonly Pipe _output = new();
    private readonly Pipe _error = new();
    private readonly Task<int> _exited;

    private CallProcess(GuestCall call)
    {
        _call = call;
        _exited = RunAsync();
    }

    /// <summary>The program of a call, which is disposed with it. Both its outputs must be read.</summary>
    public static GuestProcess Of(GuestCall call)
    {
        var control = new CallProcess(call);
        return new GuestProcess(new CallInput(call, control._exited), control._output.Reader.AsStream(), control._error.Reader.AsStream(), control._exited, control);
    }

    /// <inheritdoc/>
    public Task SignalAsync(int signal, CancellationToken cancellationToken) => _call.SignalAsync(signal, cancellationToken);

    /// <inheritdoc/>
    public Task ResizeAsync(int columns, int rows, CancellationToken cancellationToken) => _call.ResizeAsync(columns, rows, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _call.DisposeAsync();
        await _output.Reader.CompleteAsync();
        await _error.Reader.CompleteAsync();
        await ((Task)_exited).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<int> RunAsync()
    {
        Exception? failure = null;
        try
        {
            return await _call.RunAsync(_output.Writer.AsStream(leaveOpen: true), _error.Writer.AsStream(leaveOpen: true), CancellationToken.None);
        }
        catch (Exception error)
        {
            failure = error;
            throw;
        }
        finally
        {
            await _output.Writer.CompleteAsync(failure);
            await _error.Writer.CompleteAsync(failure);
        }
    }

    /// <summary>What the program reads. Disposing it shows the end.</summary>
    private sealed class CallInput(GuestCall call, Task exited) : ForwardStream
    {
        public override bool CanRead => false;

        public override bool CanWrite => true;

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await call.WriteAsync(buffer, cancellationToken);
            if (exited.IsCompleted)
            {
                throw new IOException("The program has ended.");
            }
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override async ValueTask DisposeAsync()
        {
            try
            {
                await call.EndInputAsync(CancellationToken.None);
            }
            catch (Exception gone) when (gone is IOException or ObjectDisposedException)
            {
                // There is nobody any more to show it.
            }

            await base.DisposeAsync();
        }
    }
}
