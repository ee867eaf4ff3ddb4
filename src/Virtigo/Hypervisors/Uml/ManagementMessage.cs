using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Hypervisors.Uml;

/// <summary>One datagram of an answer of the management console.</summary>
/// <param name="Failed">The command was not done.</param>
/// <param name="More">Another datagram follows.</param>
/// <param name="Text">What it says.</param>
internal sealed record ManagementReply(bool Failed, bool More, string Text);

/// <summary>The datagrams of User-Mode Linux's management console, in the byte order of the host.</summary>
internal static class ManagementMessage
{
    /// <summary>The longest command, in bytes.</summary>
    public const int LongestCommand = 511;

    /// <summary>The longest datagram of an answer that is taken, in bytes.</summary>
    public const int LongestReply = 12 + (64 << 10);

    private const uint Magic = 0xCAFEBABE;
    private const int Version = 2;
    private const int HeaderSize = 12;
    private const int DataSize = LongestCommand + 1;

    /// <summary>A command's datagram.</summary>
    /// <exception cref="ArgumentException">The command is too long.</exception>
    public static byte[] Command(string command)
    {
        int length = Encoding.UTF8.GetByteCount(command);
        if (length > LongestCommand)
        {
            throw new ArgumentException($"A command has at most {LongestCommand} bytes; this one has {length}.", nameof(command));
        }

        byte[] message = new byte[HeaderSize + DataSize];
        WriteHeader(message, Magic, Version, (uint)length);
        Encoding.UTF8.GetBytes(command, message.AsSpan(HeaderSize));
        return message;
    }

    /// <summary>Reads a datagram of an answer. It comes from the guest's own kernel.</summary>
    /// <returns>Null when it is none.</returns>
    public static ManagementReply? Parse(ReadOnlySpan<byte> datagram)
    {
        if (datagram.Length is < HeaderSize or > LongestReply)
        {
            return null;
        }

        uint length = Read(datagram[8..]);
        if (length > datagram.Length - HeaderSize)
        {
            return null;
        }

        string text = Encoding.UTF8.GetString(datagram.Slice(HeaderSize, (int)length)).TrimEnd('\0');
        return new ManagementReply(Read(datagram) != 0, Read(datagram[4..]) != 0, text);
    }

    private static void WriteHeader(Span<byte> message, params ReadOnlySpan<uint> words)
    {
        for (int word = 0; word < words.Length; word++)
        {
            if (BitConverter.IsLittleEndian)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(message[(4 * word)..], words[word]);
            }
            else
            {
                BinaryPrimitives.WriteUInt32BigEndian(message[(4 * word)..], words[word]);
            }
        }
    }

    private static uint Read(ReadOnlySpan<byte> bytes) =>
        BitConverter.IsLittleEndian ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);
}
