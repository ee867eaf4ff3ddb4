using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Virtigo.Cli.Output;

/// <summary>
/// Writes to one of this process's standard descriptors, as it is. The console's own streams hide that nobody reads any more, so that
/// <c>yes | head</c> would not end; a file stream writes at places of its own, over what others wrote to the same file.
/// </summary>
/// <param name="descriptor">1 or 2.</param>
internal sealed partial class DescriptorWriter(int descriptor) : Stream
{
    private const int Interrupted = 4;
    private const int TryAgain = 11;
    private const short Writable = 4;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <exception cref="IOException">Nobody reads any more, or the disk is full.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            nint written = WriteTo(descriptor, buffer, buffer.Length);
            if (written >= 0)
            {
                buffer = buffer[(int)written..];
                continue;
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Interrupted:
                    break;
                case TryAgain:
                    var wait = new PollEntry { Descriptor = descriptor, Wanted = Writable };
                    _ = Poll(ref wait, 1, -1);
                    break;
                case int error:
                    throw new IOException(new Win32Exception(error).Message);
            }
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc cref="Write(ReadOnlySpan{byte})"/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        new(Task.Run(() => Write(buffer.Span), cancellationToken));

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    // Safe: the bytes are pinned for the length of the call, and only as many as there are are read.
    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteTo(int descriptor, ReadOnlySpan<byte> bytes, nint count);

    // Safe: one entry, which the kernel reads and writes during the call only.
    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollEntry entries, nuint count, int milliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Descriptor;
        public short Wanted;
        public short Happened;
    }
}
