using System.IO.Pipelines;
using Virtigo.Host;

namespace Virtigo.Hypervisors;

/// <summary>
/// One serial port of a guest: reads whatever the guest writes, always, into the log, the memory of the port and every open stream.
/// </summary>
internal sealed class SerialPort : IAsyncDisposable
{
    /// <summary>How much the port remembers, in bytes.</summary>
    public const int MemoryLimit = 1 << 20;

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly Stream _connection;
    private readonly SerialLog? _log;
    private readonly ByteTail _memory = new(MemoryLimit);
    private readonly List<PipeWriter> _readers = [];
    private volatile bool _draining;
    private bool _ended;

    /// <summary>Begins to read.</summary>
    /// <param name="name">The port's name.</param>
    /// <param name="connection">The connection to the guest; disposed with the port.</param>
    /// <param name="log">The log, or null; disposed at the end of the port.</param>
    public SerialPort(string name, Stream connection, SerialLog? log)
    {
        Name = name;
        _connection = connection;
        _log = log;
        Ended = Task.Run(PumpAsync);
    }

    /// <summary>The port's name.</summary>
    public string Name { get; }

    /// <summary>Completes, never faults, when the guest's side has closed and the log is complete.</summary>
    public Task Ended { get; }

    /// <summary>What the port remembers: the last of what the guest wrote.</summary>
    public byte[] Remembered()
    {
        lock (_gate)
        {
            return _memory.ToArray();
        }
    }

    /// <summary>Opens a stream that begins with what the port remembers and loses nothing after that.</summary>
    public Stream Open()
    {
        // Twice the memory: what is remembered fits without waiting, and after it there is room before the guest is held up.
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 2 * MemoryLimit, resumeWriterThreshold: MemoryLimit, useSynchronizationContext: false));
        lock (_gate)
        {
            byte[] remembered = _memory.ToArray();
            remembered.CopyTo(pipe.Writer.GetSpan(remembered.Length));
            pipe.Writer.Advance(remembered.Length);
            _ = pipe.Writer.FlushAsync().AsTask();
            if (_ended)
            {
                pipe.Writer.Complete();
            }
            else
            {
                _readers.Add(pipe.Writer);
            }
        }

        return new SerialStream(pipe.Reader, WriteAsync);
    }

    /// <summary>
    /// Takes what a dead guest left in the connection, no longer waiting for slow readers: it is little, and they still get it.
    /// </summary>
    public Task DrainAsync()
    {
        _draining = true;
        lock (_gate)
        {
            _readers.ForEach(reader => reader.CancelPendingFlush());
        }

        return Ended;
    }

    /// <summary>Ends the port.</summary>
    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await DrainAsync();
    }

    private async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await _connection.WriteAsync(bytes, cancellationToken);
        }
        catch (ObjectDisposedException error)
        {
            throw new IOException("The guest has ended.", error);
        }
        finally
        {
            _writing.Release();
        }
    }

    private async Task PumpAsync()
    {
        byte[] buffer = new byte[32 << 10];
        try
        {
            for (int read; (read = await _connection.ReadAsync(buffer)) > 0;)
            {
                await PassOnAsync(buffer.AsMemory(0, read));
            }
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            // The guest's side is gone: what was read until now is all there is.
        }

        await EndAsync();
    }

    private async ValueTask PassOnAsync(ReadOnlyMemory<byte> bytes)
    {
        PipeWriter[] readers;
        lock (_gate)
        {
            _memory.Append(bytes.Span);
            readers = [.. _readers];
        }

        if (_log is not null)
        {
            await _log.AppendAsync(bytes);
        }

        foreach (PipeWriter reader in readers)
        {
            ValueTask<FlushResult> flushing = reader.WriteAsync(bytes);
            if (_draining)
            {
                reader.CancelPendingFlush();
            }

            if ((await flushing).IsCompleted)
            {
                lock (_gate)
                {
                    _readers.Remove(reader);
                }
            }
        }
    }

    private async Task EndAsync()
    {
        lock (_gate)
        {
            _ended = true;
            _readers.ForEach(reader => reader.Complete());
            _readers.Clear();
        }

        if (_log is not null)
        {
            await _log.FinishAsync(_memory.Total, _memory.ToArray());
            await _log.DisposeAsync();
        }
    }
}
