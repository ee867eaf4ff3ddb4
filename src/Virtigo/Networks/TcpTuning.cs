using System.Security.Cryptography;

namespace Virtigo.Networks;

/// <summary>The sizes and times of our end of a TCP connection.</summary>
internal sealed record TcpTuning
{
    /// <summary>Bytes kept until the guest acknowledges them, per connection.</summary>
    public int SendBuffer { get; init; } = 512 * 1024;

    /// <summary>Bytes kept until they are read, per connection; the largest window we advertise.</summary>
    public int ReceiveBuffer { get; init; } = 256 * 1024;

    /// <summary>The shortest and first wait for an acknowledgment. An emulated guest is slow and its link loses nothing.</summary>
    public TimeSpan MinimumTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait between two retransmissions or window probes.</summary>
    public TimeSpan MaximumTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often the timers are looked at.</summary>
    public TimeSpan Tick { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Retransmissions without any answer before the guest counts as gone.</summary>
    public int MaximumRetries { get; init; } = 15;

    /// <summary>Retransmissions of our SYN before a half-open connection is forgotten.</summary>
    public int MaximumSynRetries { get; init; } = 5;

    /// <summary>How long a closed connection still answers late segments.</summary>
    public TimeSpan TimeWait { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a connection we are done with may go without progress before it is reset.</summary>
    public TimeSpan Linger { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Chooses the first sequence number of a connection.</summary>
    public Func<uint> InitialSequence { get; init; } = RandomSequence;

    /// <summary>The window scale that lets <see cref="ReceiveBuffer"/> be advertised.</summary>
    public int WindowScale
    {
        get
        {
            int scale = 0;
            while (ReceiveBuffer >> scale > ushort.MaxValue)
            {
                scale++;
            }

            return scale;
        }
    }

    private static uint RandomSequence()
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        RandomNumberGenerator.Fill(bytes);
        return BitConverter.ToUInt32(bytes);
    }
}
