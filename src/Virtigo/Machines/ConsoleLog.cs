using Virtigo.Host;

namespace Virtigo.Machines;

/// <summary>What a machine's console said since the machine was powered on: the last mebibyte of it, and a way to wait for more.</summary>
internal sealed class ConsoleLog
{
    private const int Limit = 1 << 20;
    private readonly Lock _gate = new();
    private readonly ByteTail _tail = new(Limit);
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Reads a console until it ends.</summary>
    /// <param name="console">The console; disposed at its end.</param>
    public async Task ReadAsync(Stream console)
    {
        await using Stream reading = console;
        byte[] buffer = new byte[16 << 10];
        try
        {
            for (int read; (read = await reading.ReadAsync(buffer)) > 0;)
            {
                Append(buffer.AsSpan(0, read));
            }
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            // The guest has ended: what was read until now is all there is.
        }
    }

    /// <summary>Adds what the console said.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            _tail.Append(bytes);
            _more.TrySetResult();
            _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>The last lines that are not empty, without control characters.</summary>
    public string Tail(int lines) => ConsoleText.Tail(ToArray(), lines);

    /// <summary>What is remembered.</summary>
    public byte[] ToArray()
    {
        lock (_gate)
        {
            return _tail.ToArray();
        }
    }

    /// <summary>How much was said in all, in bytes.</summary>
    public long Total
    {
        get
        {
            lock (_gate)
            {
                return _tail.Total;
            }
        }
    }

    /// <summary>What was said after a place, as far as it is remembered, and a task that completes when there is more.</summary>
    public (byte[] Text, long End, Task More) After(long place)
    {
        lock (_gate)
        {
            byte[] all = _tail.ToArray();
            long first = _tail.Total - all.Length;
            return (place <= first ? all : all[(int)(place - first)..], _tail.Total, _more.Task);
        }
    }

    /// <summary>Completes when this was said.</summary>
    public async Task SaysAsync(byte[] text, CancellationToken cancellationToken)
    {
        for (long place = 0; ;)
        {
            (byte[] said, long end, Task more) = After(place);
            if (said.AsSpan().IndexOf(text) >= 0)
            {
                return;
            }

            place = Math.Max(0, end - text.Length + 1);
            await more.WaitAsync(cancellationToken);
        }
    }
}
