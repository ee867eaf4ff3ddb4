using System.Buffers.Binary;
using System.Threading.Channels;
using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>
/// Reads all that a client sends, at once, so that its going away is noticed however long a program takes to read its input.
/// The client sends no more input than it was told was taken.
/// </summary>
internal sealed class ControlInbox : IAsyncDisposable
{
    private const int MostOrders = 64;
    private readonly ControlWire _wire;
    private readonly CancellationTokenSource _gone;
    private readonly Channel<ReadOnlyMemory<byte>> _input = Channel.CreateUnbounded<ReadOnlyMemory<byte>>();
    private readonly Channel<ControlFrame> _orders =
        Channel.CreateBounded<ControlFrame>(new BoundedChannelOptions(MostOrders) { FullMode = BoundedChannelFullMode.DropOldest });

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _reading;
    private int _waiting;

    /// <summary>Begins to read.</summary>
    /// <param name="wire">The connection; not disposed.</param>
    /// <param name="cancellationToken">Ends the session, like the client's going away.</param>
    public ControlInbox(ControlWire wire, CancellationToken cancellationToken)
    {
        _wire = wire;
        _gone = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Gone = _gone.Token;
        _reading = ReadAsync();
    }

    /// <summary>Cancelled when the client is gone, talks nonsense, or the session is to end.</summary>
    public CancellationToken Gone { get; }

    /// <summary>Passes the input on to a program until the input ends, and shows the program that end.</summary>
    /// <param name="input">Where to write it.</param>
    /// <param name="end">Shows the end.</param>
    /// <param name="cancellationToken">Ends it: the program has ended.</param>
    public async Task FeedAsync(Stream input, Action end, CancellationToken cancellationToken)
    {
        bool open = true;
        await foreach (ReadOnlyMemory<byte> piece in _input.Reader.ReadAllAsync(cancellationToken))
        {
            try
            {
                if (open)
                {
                    await input.WriteAsync(piece, cancellationToken);
                    await input.FlushAsync(cancellationToken);
                }
            }
            catch (IOException)
            {
                // The program reads no more, and perhaps runs on: the rest is dropped.
                open = false;
            }

            Interlocked.Add(ref _waiting, -piece.Length);
            await _wire.SendAsync(ControlFrameType.Taken, piece.Length, cancellationToken);
        }

        end();
    }

    /// <summary>Passes on changes of the terminal's size, and signals.</summary>
    public async Task ObeyAsync(GuestProcess process, CancellationToken cancellationToken)
    {
        await foreach (ControlFrame order in _orders.Reader.ReadAllAsync(cancellationToken))
        {
            if (order.Type == ControlFrameType.Signal)
            {
                await process.SignalAsync(order.Payload.Span[0], cancellationToken);
            }
            else
            {
                await process.ResizeAsync(BinaryPrimitives.ReadUInt16BigEndian(order.Payload.Span),
                    BinaryPrimitives.ReadUInt16BigEndian(order.Payload.Span[2..]), cancellationToken);
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reading;
        _stop.Dispose();
        _gone.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            while (await _wire.ReadAsync(_stop.Token) is { } frame)
            {
                Take(frame);
            }
        }
        catch (Exception error) when (error is IOException or InvalidDataException or ObjectDisposedException or OperationCanceledException)
        {
            // However it came, this is all that can be known of the client.
        }

        await _gone.CancelAsync();
    }

    private void Take(ControlFrame frame)
    {
        switch (frame.Type)
        {
            case ControlFrameType.Input when frame.Payload.Length > 0 && Interlocked.Add(ref _waiting, frame.Payload.Length) <= ControlWire.Window:
                _input.Writer.TryWrite(frame.Payload);
                break;
            case ControlFrameType.InputEnd:
                _input.Writer.TryComplete();
                break;
            case ControlFrameType.Resize when frame.Payload.Length == 2 * sizeof(ushort) && Sides(frame).All(side => side > 0):
            case ControlFrameType.Signal when frame.Payload.Length == 1 && frame.Payload.Span[0] is >= 1 and <= 64:
                _orders.Writer.TryWrite(frame);
                break;
            default:
                throw new InvalidDataException($"a frame {frame.Type} with {frame.Payload.Length} bytes");
        }
    }

    private static int[] Sides(ControlFrame frame) =>
        [BinaryPrimitives.ReadUInt16BigEndian(frame.Payload.Span), BinaryPrimitives.ReadUInt16BigEndian(frame.Payload.Span[2..])];
}
