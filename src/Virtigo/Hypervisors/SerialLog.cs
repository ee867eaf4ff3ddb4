using System.Globalization;
using System.Text;

namespace Virtigo.Hypervisors;

/// <summary>
/// A log file that a flood cannot make larger than its limit plus what the port remembers: the beginning is written as it comes,
/// the end when the log is finished, and between them a line that says how much is left out.
/// </summary>
internal sealed class SerialLog : IAsyncDisposable
{
    private readonly FileStream _file;
    private readonly long _limit;
    private long _written;
    private IOException? _failure;

    /// <summary>Creates the file, only for its owner: consoles show secrets.</summary>
    /// <param name="path">The file.</param>
    /// <param name="appends">Whether what is in it stays; if not, it is replaced.</param>
    /// <param name="limit">The most that is kept of the beginning, in bytes.</param>
    public SerialLog(string path, bool appends, long limit)
    {
        _limit = limit;
        _file = new FileStream(path, new FileStreamOptions
        {
            Mode = appends ? FileMode.Append : FileMode.Create,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            Options = FileOptions.Asynchronous,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
    }

    /// <summary>The log of a serial port, or null when it has none.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it cannot be made.</exception>
    public static SerialLog? Open(GuestSerial serial)
    {
        if (serial.LogFile is null)
        {
            return null;
        }

        try
        {
            return new SerialLog(serial.LogFile, serial.LogAppends, serial.LogLimit);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Host, $"The log {serial.LogFile} of serial port {serial.Name} cannot be made: {error.Message}", inner: error);
        }
    }

    /// <summary>Writes what still belongs to the beginning. A full disk of the host's ends the log, not the guest.</summary>
    public async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes)
    {
        if (_failure is not null || _written >= _limit)
        {
            return;
        }

        bytes = bytes[..(int)Math.Min(bytes.Length, _limit - _written)];
        await WriteAsync(bytes);
        _written += bytes.Length;
    }

    /// <summary>Writes the end.</summary>
    /// <param name="total">How many bytes there were in all.</param>
    /// <param name="tail">The last of them.</param>
    public async ValueTask FinishAsync(long total, ReadOnlyMemory<byte> tail)
    {
        long left = total - _written;
        if (left <= 0 || _failure is not null)
        {
            return;
        }

        if (left > tail.Length)
        {
            string note = string.Create(CultureInfo.InvariantCulture, $"\n[virtigo: {left - tail.Length} bytes left out]\n");
            await WriteAsync(Encoding.ASCII.GetBytes(note));
            left = tail.Length;
        }

        await WriteAsync(tail[^(int)left..]);
    }

    public ValueTask DisposeAsync() => _file.DisposeAsync();

    private async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            await _file.WriteAsync(bytes);
        }
        catch (IOException error)
        {
            _failure = error;
        }
    }
}
