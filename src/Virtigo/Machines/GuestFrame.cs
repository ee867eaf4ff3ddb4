using System.Buffers.Binary;
using System.Text;

namespace Virtigo.Machines;

/// <summary>
/// The frames of the stream channel: u32 length of the payload, u32 stream, u8 type, payload; numbers are big-endian. The other side is
/// <c>guest-channel.pl</c>.
/// </summary>
internal static class GuestFrame
{
    /// <summary>Bytes before the payload.</summary>
    public const int HeaderLength = 9;

    /// <summary>The longest payload from the guest, in bytes.</summary>
    public const int Longest = 64 << 10;

    /// <summary>The longest payload to the guest, in bytes: a command with its arguments and environment.</summary>
    public const int LongestToGuest = 1 << 20;

    /// <summary>How much may be on its way in one direction of one stream, in bytes.</summary>
    public const int Window = 256 << 10;

    /// <summary>The largest piece of a stream in one frame, in bytes.</summary>
    public const int Piece = 32 << 10;

    /// <summary>The length of <see cref="Magic"/> and of a nonce, in bytes.</summary>
    public const int MarkLength = 16;

    /// <summary>Marks a reset and its answer, wherever in a broken flow of frames they stand.</summary>
    public static ReadOnlySpan<byte> Magic =>
        [0x8b, 0x1d, 0x56, 0x69, 0x72, 0x74, 0x69, 0x67, 0x6f, 0xc0, 0xa7, 0xe3, 0xf1, 0x2d, 0x99, 0x55];

    /// <summary>Builds a frame.</summary>
    public static byte[] Build(uint stream, byte type, params ReadOnlySpan<byte> payload)
    {
        byte[] frame = new byte[HeaderLength + payload.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, (uint)payload.Length);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(4), stream);
        frame[8] = type;
        payload.CopyTo(frame.AsSpan(HeaderLength));
        return frame;
    }

    /// <summary>The payload of a reset.</summary>
    /// <param name="nonce">Comes back in the answer.</param>
    /// <param name="time">The time to set the guest's clock to, or null.</param>
    /// <param name="entropy">Stirred into the guest's kernel, at most 512 bytes.</param>
    public static byte[] Reset(ReadOnlySpan<byte> nonce, DateTimeOffset? time, ReadOnlySpan<byte> entropy)
    {
        byte[] payload = new byte[(2 * MarkLength) + 8 + 4 + 2 + entropy.Length + 2];
        Magic.CopyTo(payload);
        nonce.CopyTo(payload.AsSpan(MarkLength));
        if (time is { } now)
        {
            BinaryPrimitives.WriteInt64BigEndian(payload.AsSpan(2 * MarkLength), now.ToUnixTimeSeconds());
            BinaryPrimitives.WriteUInt32BigEndian(payload.AsSpan((2 * MarkLength) + 8), (uint)(now.UtcTicks % TimeSpan.TicksPerSecond * 100));
        }

        BinaryPrimitives.WriteUInt16BigEndian(payload.AsSpan((2 * MarkLength) + 12), (ushort)entropy.Length);
        entropy.CopyTo(payload.AsSpan((2 * MarkLength) + 14));
        return payload;
    }

    /// <summary>The payload that starts a command.</summary>
    /// <param name="arguments">The program and its arguments.</param>
    /// <param name="options">How it runs.</param>
    /// <param name="interactive">Whether input may come that the options do not hold.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> for what cannot be: a NUL, a size, a terminal out of range.</exception>
    public static byte[] Command(IReadOnlyList<string> arguments, CommandOptions options, bool interactive)
    {
        var fields = new List<string>
        {
            options.User ?? "", options.WorkingDirectory ?? "", options.Terminal?.Type ?? "",
            arguments.Count.ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
        fields.AddRange(arguments);
        fields.AddRange(options.Environment.Select(pair => Variable(pair.Key, pair.Value)));
        if (fields.Exists(field => field.Contains('\0', StringComparison.Ordinal)))
        {
            throw new VirtigoException(FailureKind.Usage, "A command, its folder, user or environment contains a NUL character, which no guest can take.");
        }

        if (options.Terminal is { } wrong && (wrong.Columns is < 1 or > ushort.MaxValue || wrong.Rows is < 1 or > ushort.MaxValue))
        {
            throw new VirtigoException(FailureKind.Usage, FormattableString.Invariant($"A terminal cannot have {wrong.Columns} columns and {wrong.Rows} rows."));
        }

        int length = 5 + fields.Sum(field => 4 + Encoding.UTF8.GetByteCount(field));
        if (length > LongestToGuest)
        {
            throw new VirtigoException(FailureKind.Usage,
                FormattableString.Invariant($"A command with {length} bytes of arguments and environment is too long."), "Give it what is long as input.");
        }

        byte[] payload = new byte[length];
        BinaryPrimitives.WriteUInt16BigEndian(payload, (ushort)(options.Terminal?.Columns ?? 0));
        BinaryPrimitives.WriteUInt16BigEndian(payload.AsSpan(2), (ushort)(options.Terminal?.Rows ?? 0));
        payload[4] = options.Input.Length == 0 && options.InputStream is null && !interactive ? (byte)1 : (byte)0;
        int at = 5;
        foreach (string field in fields)
        {
            int size = Encoding.UTF8.GetBytes(field, payload.AsSpan(at + 4));
            BinaryPrimitives.WriteUInt32BigEndian(payload.AsSpan(at), (uint)size);
            at += 4 + size;
        }

        return payload;
    }

    /// <summary>The payload that watches for a condition.</summary>
    public static byte[] Watch(GuestCondition condition)
    {
        char kind = condition.Kind switch
        {
            GuestConditionKind.Unit => 'u',
            GuestConditionKind.Port => 'p',
            GuestConditionKind.ClosedPort => 'n',
            GuestConditionKind.File => 'f',
            GuestConditionKind.Command => 'c',
            _ => 'd',
        };
        return Encoding.UTF8.GetBytes(kind + condition.Subject);
    }

    private static string Variable(string name, string value) => name.Length > 0 && !name.Contains('=', StringComparison.Ordinal)
        ? $"{name}={value}"
        : throw new VirtigoException(FailureKind.Usage, $"\"{name}\" is no name of an environment variable: it must not be empty or contain '='.");
}

/// <summary>What frames are for.</summary>
internal static class GuestFrameType
{
    /// <summary>To the guest: begin anew. From it: done.</summary>
    public const byte Reset = (byte)'R';

    /// <summary>To the guest: answer. From it: the same bytes.</summary>
    public const byte Ping = (byte)'P';

    /// <summary>To the guest: start a shell that waits for the next command. From it: it waits, or cannot be had.</summary>
    public const byte PrepareShell = (byte)'B';

    /// <summary>To the guest: start a command.</summary>
    public const byte Command = (byte)'X';

    /// <summary>To the guest: connect.</summary>
    public const byte Connect = (byte)'C';

    /// <summary>To the guest: watch for a condition.</summary>
    public const byte Watch = (byte)'W';

    /// <summary>To the guest: input of a stream.</summary>
    public const byte Input = (byte)'D';

    /// <summary>To the guest: there is no more input.</summary>
    public const byte InputEnd = (byte)'E';

    /// <summary>Both ways: so much may be sent again.</summary>
    public const byte Credit = (byte)'c';

    /// <summary>To the guest: a signal for a process group.</summary>
    public const byte Signal = (byte)'S';

    /// <summary>To the guest: a terminal's size.</summary>
    public const byte Resize = (byte)'Z';

    /// <summary>To the guest: kill and forget.</summary>
    public const byte Kill = (byte)'K';

    /// <summary>From the guest: started, or connected.</summary>
    public const byte Accepted = (byte)'A';

    /// <summary>From the guest: output.</summary>
    public const byte Output = (byte)'O';

    /// <summary>From the guest: error output.</summary>
    public const byte Error = (byte)'F';

    /// <summary>From the guest: no more output.</summary>
    public const byte OutputEnd = (byte)'Q';

    /// <summary>From the guest: no more error output.</summary>
    public const byte ErrorEnd = (byte)'q';

    /// <summary>From the guest, last of a stream: how it ended.</summary>
    public const byte Ended = (byte)'T';

    /// <summary>From the guest, last of a stream: it could not be begun.</summary>
    public const byte Failed = (byte)'!';
}
