using System.Buffers.Binary;

namespace Virtigo.Environments;

/// <summary>
/// A program, connection or console of a machine in a kept environment, as a client uses it. Disposing it ends it: a program that still
/// runs is killed.
/// </summary>
public sealed class GuestCall : IAsyncDisposable
{
    private readonly ControlWire _wire;
    private readonly SemaphoreSlim _sending = new(1);
    private readonly Lock _gate = new();
    private int _credit = ControlWire.Window;
    private bool _inputEnded;
    private TaskCompletionSource _room = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _ended;

    internal GuestCall(ControlWire wire) => _wire = wire;

    /// <summary>Sends what the program is to read; waits while it takes nothing. Input after the end of the program is dropped.</summary>
    /// <param name="data">The bytes.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="IOException">The environment is gone.</exception>
    public async Task WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken);
        try
        {
            while (data.Length > 0 && !_ended)
            {
                int count = await TakeCreditAsync(Math.Min(data.Length, ControlWire.Piece), cancellationToken);
                if (count > 0)
                {
                    await _wire.SendAsync(ControlFrameType.Input, data[..count], cancellationToken);
                    data = data[count..];
                }
            }
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Shows the program the end of its input.</summary>
    /// <exception cref="IOException">The environment is gone.</exception>
    public async Task EndInputAsync(CancellationToken cancellationToken)
    {
        if (!_inputEnded && !_ended)
        {
            _inputEnded = true;
            await _wire.SendAsync(ControlFrameType.InputEnd, ReadOnlyMemory<byte>.Empty, cancellationToken);
        }
    }

    /// <summary>Changes the size of the program's terminal.</summary>
    /// <param name="columns">The width in characters, 1 to 65535.</param>
    /// <param name="rows">The height in lines, 1 to 65535.</param>
    /// <param name="cancellationToken">Ends the sending.</param>
    /// <exception cref="IOException">The environment is gone.</exception>
    public async Task ResizeAsync(int columns, int rows, CancellationToken cancellationToken)
    {
        byte[] sides = new byte[2 * sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(sides, (ushort)Math.Clamp(columns, 1, ushort.MaxValue));
        BinaryPrimitives.WriteUInt16BigEndian(sides.AsSpan(sizeof(ushort)), (ushort)Math.Clamp(rows, 1, ushort.MaxValue));
        await _wire.SendAsync(ControlFrameType.Resize, sides, cancellationToken);
    }

    /// <summary>Sends a signal to the program.</summary>
    /// <param name="signal">The signal's number on Linux, 1 to 64.</param>
    /// <param name="cancellationToken">Ends the sending.</param>
    /// <exception cref="IOException">The environment is gone.</exception>
    public Task SignalAsync(int signal, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(signal, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(signal, 64);
        return _wire.SendAsync(ControlFrameType.Signal, new[] { (byte)signal }, cancellationToken);
    }

    /// <summary>Passes on what the program writes, until it ends. Call it once; input can be sent at the same time.</summary>
    /// <param name="output">Where its output goes.</param>
    /// <param name="error">Where its standard error goes.</param>
    /// <param name="cancellationToken">Ends the reading; the program runs until this is disposed.</param>
    /// <returns>Its exit code, 128 + n when signal n ended it; 0 for a connection or console that ended.</returns>
    /// <exception cref="VirtigoException">The machine or the environment went away first.</exception>
    public async Task<int> RunAsync(Stream output, Stream error, CancellationToken cancellationToken)
    {
        try
        {
            while (await _wire.ReadAsync(cancellationToken) is { } frame)
            {
                switch (frame.Type)
                {
                    case ControlFrameType.Output:
                        await PassAsync(output, frame, cancellationToken);
                        break;
                    case ControlFrameType.Error:
                        await PassAsync(error, frame, cancellationToken);
                        break;
                    case ControlFrameType.Taken:
                        Give(frame.Number);
                        break;
                    case ControlFrameType.Exit:
                        return frame.Number;
                    case ControlFrameType.Failure:
                        throw ControlWire.Message(frame, ControlFrameType.Failure, ControlJson.Default.ControlError).ToException();
                }
            }
        }
        catch (InvalidDataException wrong)
        {
            throw RunningEnvironment.Nonsense(wrong);
        }
        catch (IOException gone) when (gone.InnerException is System.Net.Sockets.SocketException)
        {
            throw RunningEnvironment.Gone(gone);
        }
        finally
        {
            _ended = true;
            Give(0);
        }

        throw RunningEnvironment.Gone(null);
    }

    /// <summary>Ends the program, connection or console.</summary>
    public async ValueTask DisposeAsync()
    {
        _ended = true;
        Give(0);
        await _wire.DisposeAsync();
    }

    private static async Task PassAsync(Stream to, ControlFrame frame, CancellationToken cancellationToken)
    {
        await to.WriteAsync(frame.Payload, cancellationToken);
        await to.FlushAsync(cancellationToken);
    }

    private void Give(int count)
    {
        lock (_gate)
        {
            _credit = Math.Min(ControlWire.Window, _credit + Math.Max(0, count));
            _room.TrySetResult();
            _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>How much may be sent now; 0 when the program has ended.</summary>
    private async Task<int> TakeCreditAsync(int wanted, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task room;
            lock (_gate)
            {
                if (_ended || _credit > 0)
                {
                    int count = _ended ? 0 : Math.Min(wanted, _credit);
                    _credit -= count;
                    return count;
                }

                room = _room.Task;
            }

            await room.WaitAsync(cancellationToken);
        }
    }
}
