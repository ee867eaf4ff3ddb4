using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Machines;

/// <summary>One process, connection or watch of the stream channel, as the host sees it.</summary>
internal sealed class GuestStream : IGuestProcessControl
{
    private readonly GuestChannel _channel;
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource<int> _accepted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _room = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _inputCredit = GuestFrame.Window;
    private bool _inputEnded;
    private bool _killed;
    private volatile bool _final;

    /// <summary>Makes the host's side of a stream.</summary>
    public GuestStream(GuestChannel channel, uint id)
    {
        (_channel, Id) = (channel, id);
        Output = new GuestReceiver(count => Grant(0, count));
        Error = new GuestReceiver(count => Grant(1, count));

        // Who never asks is not to see these as unobserved.
        _ = _accepted.Task.ContinueWith(task => task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        _ = _exited.Task.ContinueWith(task => task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    /// <summary>Its number on the channel.</summary>
    public uint Id { get; }

    /// <summary>The process id in the guest, once it was started or connected.</summary>
    public Task<int> Accepted => _accepted.Task;

    /// <summary>The exit code, or 128 + n for signal n.</summary>
    public Task<int> Exited => _exited.Task;

    /// <summary>What comes from it.</summary>
    public GuestReceiver Output { get; }

    /// <summary>Its error output.</summary>
    public GuestReceiver Error { get; }

    /// <summary>Sends input, as the guest takes it.</summary>
    /// <exception cref="IOException">It has ended.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            int count = await TakeCreditAsync(Math.Min(bytes.Length, GuestFrame.Piece), cancellationToken);
            await _channel.SendAsync(GuestFrame.Build(Id, GuestFrameType.Input, bytes.Span[..count])).WaitAsync(cancellationToken);
            bytes = bytes[count..];
        }
    }

    /// <summary>Shows it the end of its input.</summary>
    public void EndInput()
    {
        lock (_gate)
        {
            if (_inputEnded || _final)
            {
                return;
            }

            _inputEnded = true;
        }

        _ = _channel.SendAsync(GuestFrame.Build(Id, GuestFrameType.InputEnd));
    }

    /// <inheritdoc/>
    public Task SignalAsync(int signal, CancellationToken cancellationToken) => _final
        ? Task.CompletedTask
        : _channel.SendAsync(GuestFrame.Build(Id, GuestFrameType.Signal, (byte)signal)).WaitAsync(cancellationToken);

    /// <inheritdoc/>
    public Task ResizeAsync(int columns, int rows, CancellationToken cancellationToken) => _final
        ? Task.CompletedTask
        : _channel.SendAsync(GuestFrame.Build(
            Id, GuestFrameType.Resize, (byte)(columns >> 8), (byte)columns, (byte)(rows >> 8), (byte)rows)).WaitAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Kill();
        return ValueTask.CompletedTask;
    }

    /// <summary>Kills it unless it has ended. Its number stays taken until the guest says that it is gone.</summary>
    public void Kill()
    {
        lock (_gate)
        {
            if (_killed || _final)
            {
                return;
            }

            _killed = true;
        }

        Output.Forget();
        Error.Forget();
        _ = _channel.SendAsync(GuestFrame.Build(Id, GuestFrameType.Kill));
    }

    /// <summary>Takes a frame of the guest's.</summary>
    /// <returns>What is wrong with it, or null.</returns>
    public string? Receive(byte type, ReadOnlySpan<byte> payload)
    {
        switch (type)
        {
            case GuestFrameType.Accepted when payload.Length == 4:
                _accepted.TrySetResult((int)Number(payload));
                return null;
            case GuestFrameType.Output when payload.Length > 0:
                return Output.Receive(payload) ? null : "it sent more output than it was allowed to";
            case GuestFrameType.Error when payload.Length > 0:
                return Error.Receive(payload) ? null : "it sent more error output than it was allowed to";
            case GuestFrameType.OutputEnd when payload.Length == 0:
                Output.End(null);
                return null;
            case GuestFrameType.ErrorEnd when payload.Length == 0:
                Error.End(null);
                return null;
            case GuestFrameType.Credit when payload.Length == 4:
                return AddCredit(Number(payload)) ? null : "it granted more input than was sent";
            case GuestFrameType.Ended when payload.Length == 5:
                int code = (int)Math.Min(Number(payload[1..]), 255);
                End(payload[0] == 0 ? code : 128 + (code & 127));
                return null;
            case GuestFrameType.Failed:
                string why = ConsoleText.Printable(Encoding.UTF8.GetString(payload[..Math.Min(payload.Length, 2000)])).Trim();
                Fail(new VirtigoException(FailureKind.Guest, why), null);
                return null;
            default:
                return FormattableString.Invariant($"it sent {payload.Length} bytes of type 0x{type:x2} on a stream");
        }
    }

    /// <summary>Ends it from the host's side: the channel broke, or the guest could not begin it.</summary>
    /// <param name="error">For who waits for its start or end.</param>
    /// <param name="cause">For who reads; null for a plain end.</param>
    public void Fail(Exception error, IOException? cause)
    {
        Finish();
        Output.End(cause);
        Error.End(cause);
        _accepted.TrySetException(error);
        _exited.TrySetException(error);
    }

    private static uint Number(ReadOnlySpan<byte> payload) => BinaryPrimitives.ReadUInt32BigEndian(payload);

    private void End(int code)
    {
        Finish();
        Output.End(null);
        Error.End(null);
        _accepted.TrySetResult(0);
        _exited.TrySetResult(code);
    }

    private void Finish()
    {
        lock (_gate)
        {
            _final = true;
            _room.TrySetResult();
        }
    }

    private void Grant(byte which, int count)
    {
        if (!_final)
        {
            Span<byte> payload = stackalloc byte[5];
            payload[0] = which;
            BinaryPrimitives.WriteInt32BigEndian(payload[1..], count);
            _ = _channel.SendAsync(GuestFrame.Build(Id, GuestFrameType.Credit, payload));
        }
    }

    private bool AddCredit(uint count)
    {
        lock (_gate)
        {
            if (count > GuestFrame.Window - _inputCredit)
            {
                return false;
            }

            _inputCredit += (int)count;
            _room.TrySetResult();
            _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return true;
        }
    }

    private async ValueTask<int> TakeCreditAsync(int wanted, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task room;
            lock (_gate)
            {
                if (_final || _inputEnded || _killed)
                {
                    throw new IOException("It does not read any more: it has ended, or its input was closed.");
                }

                if (_inputCredit > 0)
                {
                    int taken = Math.Min(wanted, _inputCredit);
                    _inputCredit -= taken;
                    return taken;
                }

                room = _room.Task;
            }

            await room.WaitAsync(cancellationToken);
        }
    }
}
