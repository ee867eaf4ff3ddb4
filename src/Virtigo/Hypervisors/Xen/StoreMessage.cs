using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Hypervisors.Xen;

/// <summary>What a message to or from XenStore is about: the numbers of its protocol.</summary>
internal enum StoreOperation
{
    /// <summary>Reads a node.</summary>
    Read = 2,

    /// <summary>Tells of changes from now on.</summary>
    Watch = 4,

    /// <summary>Writes a node.</summary>
    Write = 11,

    /// <summary>Tells of a change.</summary>
    WatchEvent = 15,

    /// <summary>Refuses.</summary>
    Error = 16,
}

/// <summary>One message of XenStore's.</summary>
/// <param name="Operation">What it is about; any number.</param>
/// <param name="Request">The number of the request that it belongs to.</param>
/// <param name="Payload">What follows its head.</param>
internal sealed record StoreMessage(StoreOperation Operation, uint Request, byte[] Payload)
{
    /// <summary>The size of a message's head, in bytes.</summary>
    public const int HeadSize = 16;

    /// <summary>The most that follows a head, in bytes.</summary>
    public const int LongestPayload = 4096;

    /// <summary>The payload as text, without its last NUL.</summary>
    public string Text => Encoding.UTF8.GetString(Payload).TrimEnd('\0');

    /// <summary>A request's bytes.</summary>
    /// <param name="operation">What is asked for.</param>
    /// <param name="request">Its number.</param>
    /// <param name="words">Its words, each of which ends with NUL.</param>
    /// <param name="value">What follows them as it is.</param>
    /// <exception cref="ArgumentException">It is too long.</exception>
    public static byte[] Ask(StoreOperation operation, uint request, IReadOnlyList<string> words, string value)
    {
        byte[] payload = Encoding.UTF8.GetBytes(string.Concat(words.Select(word => word + '\0')) + value);
        if (payload.Length > LongestPayload)
        {
            throw new ArgumentException($"A request has at most {LongestPayload} bytes; this one has {payload.Length}.", nameof(value));
        }

        byte[] message = new byte[HeadSize + payload.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(message, (uint)operation);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(4), request);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(12), (uint)payload.Length);
        payload.CopyTo(message, HeadSize);
        return message;
    }

    /// <summary>Reads a message's head.</summary>
    /// <param name="head">Its bytes, <see cref="HeadSize"/> of them.</param>
    /// <returns>What it is about, the request's number, and how many bytes follow; null when none of the protocol's says that.</returns>
    public static (StoreOperation Operation, uint Request, int Length)? Head(ReadOnlySpan<byte> head)
    {
        if (head.Length != HeadSize)
        {
            return null;
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(head[12..]);
        return length <= LongestPayload
            ? ((StoreOperation)BinaryPrimitives.ReadUInt32LittleEndian(head), BinaryPrimitives.ReadUInt32LittleEndian(head[4..]), (int)length)
            : null;
    }
}
