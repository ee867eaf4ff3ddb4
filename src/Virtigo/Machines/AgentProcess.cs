using System.IO.Pipelines;
using Virtigo.Host;

namespace Virtigo.Machines;

/// <summary>
/// A process that the guest's agent runs: it reads nothing, what it wrote comes when it has ended, and it can neither be signalled nor killed. Whoever tries
/// is told so by its end, and it is given up. What it wrote is bounded by what the agent takes of an answer.
/// </summary>
internal sealed class AgentProcess : IGuestProcessControl
{
    // All of it is there at once, and nobody has to read it.
    private static readonly PipeOptions s_kept = new(pauseWriterThreshold: 0);
    private readonly Pipe _output = new(s_kept);
    private readonly Pipe _error = new(s_kept);
    private readonly CancellationTokenSource _given = new();
    private readonly Func<string, VirtigoException> _needs;
    private readonly Task<int> _exited;
    private volatile string? _asked;

    private AgentProcess(Func<Action<ReadOnlyMemory<byte>, bool>, CancellationToken, Task<int>> run, Func<string, VirtigoException> needs)
    {
        _needs = needs;
        _exited = RunAsync(run);
    }

    /// <summary>Starts one.</summary>
    /// <param name="run">Runs it, tells what it wrote and whether that was to its standard error, and gives its exit code.</param>
    /// <param name="needs">The refusal of what it cannot do.</param>
    public static GuestProcess Start(Func<Action<ReadOnlyMemory<byte>, bool>, CancellationToken, Task<int>> run, Func<string, VirtigoException> needs)
    {
        var control = new AgentProcess(run, needs);
        return new GuestProcess(new NoInput(control), control._output.Reader.AsStream(), control._error.Reader.AsStream(), control._exited, control);
    }

    /// <inheritdoc/>
    public Task SignalAsync(int signal, CancellationToken cancellationToken) => RefuseAsync("Signals to processes");

    /// <inheritdoc/>
    public Task ResizeAsync(int columns, int rows, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _given.CancelAsync();
        await ((Task)_exited).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _output.Reader.CompleteAsync();
        await _error.Reader.CompleteAsync();
        _given.Dispose();
    }

    private async Task<int> RunAsync(Func<Action<ReadOnlyMemory<byte>, bool>, CancellationToken, Task<int>> run)
    {
        var said = new List<(ReadOnlyMemory<byte> Bytes, bool IsError)>();
        try
        {
            int code = await run((bytes, isError) => said.Add((bytes, isError)), _given.Token);
            foreach ((ReadOnlyMemory<byte> bytes, bool isError) in said)
            {
                await (isError ? _error : _output).Writer.WriteAsync(bytes, CancellationToken.None);
            }

            return code;
        }
        catch (OperationCanceledException) when (_asked is { } what)
        {
            throw _needs(what);
        }
        finally
        {
            await _output.Writer.CompleteAsync();
            await _error.Writer.CompleteAsync();
        }
    }

    private async Task RefuseAsync(string what)
    {
        if (!_exited.IsCompleted)
        {
            _asked = what;
            await _given.CancelAsync();
        }
    }

    /// <summary>Input that nobody takes: its end may be shown, and nothing be written.</summary>
    private sealed class NoInput(AgentProcess process) : ForwardStream
    {
        public override bool CanRead => false;

        public override bool CanWrite => true;

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await process.RefuseAsync("Input of processes");
            throw new IOException("The process reads nothing.");
        }
    }
}
