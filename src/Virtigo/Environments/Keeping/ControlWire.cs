using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Virtigo.Environments;

/// <summary>What a frame between a client and the keeper of an environment carries.</summary>
internal enum ControlFrameType : byte
{
    /// <summary>A <see cref="ControlRequest"/>, the first of a connection.</summary>
    Request = 1,

    /// <summary>A <see cref="ControlAnswer"/>.</summary>
    Answer = 2,

    /// <summary>What a program is to read.</summary>
    Input = 3,

    /// <summary>There is no more to read.</summary>
    InputEnd = 4,

    /// <summary>Columns and rows, two bytes each.</summary>
    Resize = 5,

    /// <summary>One byte: a signal's number.</summary>
    Signal = 6,

    /// <summary>What a program writes.</summary>
    Output = 7,

    /// <summary>What a program writes to its standard error.</summary>
    Error = 8,

    /// <summary>Four bytes: so much input was taken, and so much more may be sent.</summary>
    Taken = 9,

    /// <summary>Four bytes: the exit code; the last frame.</summary>
    Exit = 10,

    /// <summary>A <see cref="ControlError"/>; the last frame.</summary>
    Failure = 11,

    /// <summary>A <see cref="ControlStep"/>.</summary>
    Step = 12,
}

/// <summary>A frame.</summary>
/// <param name="Type">What it carries.</param>
/// <param name="Payload">The content.</param>
internal readonly record struct ControlFrame(ControlFrameType Type, ReadOnlyMemory<byte> Payload)
{
    /// <summary>The number that the payload is.</summary>
    /// <exception cref="InvalidDataException">It has another length.</exception>
    public int Number => Payload.Length == sizeof(int)
        ? BinaryPrimitives.ReadInt32BigEndian(Payload.Span)
        : throw new InvalidDataException($"a number of {Payload.Length} bytes");
}

/// <summary>Carries frames: one byte of type, four of length (most significant first), the payload. One reader, any number of writers.</summary>
/// <param name="stream">The connection; disposed with this.</param>
internal sealed class ControlWire(Stream stream) : IAsyncDisposable
{
    /// <summary>The longest payload, in bytes.</summary>
    public const int LongestPayload = 1 << 20;

    /// <summary>The most data in one frame, in bytes.</summary>
    public const int Piece = 32 << 10;

    /// <summary>How much input may be on its way to a program that does not take it, in bytes.</summary>
    public const int Window = 256 << 10;

    private const int HeaderBytes = 5;
    private readonly SemaphoreSlim _writing = new(1);
    private readonly byte[] _header = new byte[HeaderBytes];

    /// <summary>Reads the next frame.</summary>
    /// <returns>The frame; null when the other side is gone.</returns>
    /// <exception cref="InvalidDataException">It is no frame.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async ValueTask<ControlFrame?> ReadAsync(CancellationToken cancellationToken)
    {
        int read = await stream.ReadAtLeastAsync(_header, HeaderBytes, throwOnEndOfStream: false, cancellationToken);
        if (read == 0)
        {
            return null;
        }

        if (read < HeaderBytes)
        {
            throw new InvalidDataException("a frame that ends in its header");
        }

        var type = (ControlFrameType)_header[0];
        uint length = BinaryPrimitives.ReadUInt32BigEndian(_header.AsSpan(1));
        if (type is < ControlFrameType.Request or > ControlFrameType.Step || length > LongestPayload)
        {
            throw new InvalidDataException($"a frame of type {_header[0]} with {length} bytes");
        }

        byte[] payload = new byte[length];
        if (await stream.ReadAtLeastAsync(payload, payload.Length, throwOnEndOfStream: false, cancellationToken) < payload.Length)
        {
            throw new InvalidDataException("a frame that is cut off");
        }

        return new ControlFrame(type, payload);
    }

    /// <summary>Sends a frame. When this is cancelled or fails, the connection is of no use any more.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task SendAsync(ControlFrameType type, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        byte[] frame = new byte[HeaderBytes + payload.Length];
        frame[0] = (byte)type;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), payload.Length);
        payload.CopyTo(frame.AsMemory(HeaderBytes));
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await stream.WriteAsync(frame, cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Sends a number.</summary>
    /// <inheritdoc cref="SendAsync(ControlFrameType, ReadOnlyMemory{byte}, CancellationToken)"/>
    public Task SendAsync(ControlFrameType type, int number, CancellationToken cancellationToken)
    {
        byte[] payload = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(payload, number);
        return SendAsync(type, payload, cancellationToken);
    }

    /// <summary>Sends a message.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when it is too long.</exception>
    /// <inheritdoc cref="SendAsync(ControlFrameType, ReadOnlyMemory{byte}, CancellationToken)"/>
    public Task SendAsync<T>(ControlFrameType type, T message, JsonTypeInfo<T> shape, CancellationToken cancellationToken)
    {
        byte[] payload = JsonSerializer.SerializeToUtf8Bytes(message, shape);
        return payload.Length <= LongestPayload
            ? SendAsync(type, payload, cancellationToken)
            : throw new VirtigoException(FailureKind.Usage, $"What is asked for has {payload.Length} bytes; at most {LongestPayload} can be sent.");
    }

    /// <summary>A message out of a frame.</summary>
    /// <exception cref="InvalidDataException">It is something else.</exception>
    public static T Message<T>(ControlFrame frame, ControlFrameType type, JsonTypeInfo<T> shape)
        where T : class
    {
        try
        {
            return (frame.Type == type ? JsonSerializer.Deserialize(frame.Payload.Span, shape) : null)
                ?? throw new InvalidDataException($"a frame of type {frame.Type} where {type} was expected");
        }
        catch (JsonException wrong)
        {
            throw new InvalidDataException("a message that cannot be read", wrong);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stream.DisposeAsync();
        _writing.Dispose();
    }
}
