using System.Text;

namespace Virtigo.Machines;

/// <summary>
/// Finds the marks of one command in what a serial console says, and what was said between them. The console is hostile: at most
/// a given amount is kept.
/// </summary>
/// <param name="command">The command's marks.</param>
/// <param name="limit">The most that is kept, in bytes; the beginning is.</param>
/// <param name="pass">Told what was said as it comes; may be null.</param>
internal sealed class SerialListener(SerialCommand command, int limit, Action<ReadOnlyMemory<byte>>? pass)
{
    private const int LongestCode = 3;
    private readonly byte[] _taken = Encoding.ASCII.GetBytes(command.Taken);
    private readonly byte[] _begin = Encoding.ASCII.GetBytes(command.Begin);
    private readonly byte[] _end = Encoding.ASCII.GetBytes(command.End);
    private readonly List<byte> _kept = [];
    private readonly TaskCompletionSource<int> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _taking = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte[] _pending = [];
    private bool _begun;

    /// <summary>The exit code, once the end was said.</summary>
    public Task<int> Ended => _ended.Task;

    /// <summary>Whether more was said than was kept. To be asked when it has ended.</summary>
    public bool Truncated { get; private set; }

    /// <summary>What was said, as clean text. To be asked when it has ended.</summary>
    public string Text => ConsoleText.Printable(Encoding.UTF8.GetString([.. _kept]));

    /// <summary>Completes when the shell has taken what is typed after this call.</summary>
    public Task NextTaken()
    {
        var taking = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _taking, taking);
        return taking.Task;
    }

    /// <summary>Takes what the console said.</summary>
    public void Receive(ReadOnlySpan<byte> bytes)
    {
        if (_ended.Task.IsCompleted)
        {
            return;
        }

        byte[] all = [.. _pending, .. bytes];
        int place = 0;
        while (!_begun && all.AsSpan(place) is var rest)
        {
            int taken = rest.IndexOf(_taken);
            if (taken >= 0)
            {
                Volatile.Read(ref _taking).TrySetResult();
                place += taken + _taken.Length;
                continue;
            }

            int begin = rest.IndexOf(_begin);
            int line = begin < 0 ? -1 : rest[begin..].IndexOf((byte)'\n');
            if (line < 0)
            {
                break;
            }

            (_begun, place) = (true, place + begin + line + 1);
        }

        // The end is also looked for where the beginning was lost, since the kernel may have written into its middle.
        int end = all.AsSpan(place).IndexOf(_end);
        if (end < 0)
        {
            int hold = Math.Max(place, all.Length - _begin.Length - _end.Length);
            Keep(all.AsMemory(place, hold - place));
            _pending = all[hold..];
            return;
        }

        Keep(all.AsMemory(place, end));
        ReadOnlySpan<byte> code = all.AsSpan(place + end + _end.Length);
        int at = code.IndexOf((byte)'@');
        if (at is > 0 and <= LongestCode && byte.TryParse(code[..at], out byte value))
        {
            _ended.TrySetResult(value);
        }
        else if (at < 0 && code.Length <= LongestCode)
        {
            _pending = all[(place + end)..];
        }
        else
        {
            // Something wrote into the mark: a reminder brings another.
            _pending = code.ToArray();
        }
    }

    /// <summary>The console has ended.</summary>
    public void Fail(VirtigoException error)
    {
        _ended.TrySetException(error);
        Volatile.Read(ref _taking).TrySetException(error);
    }

    private void Keep(ReadOnlyMemory<byte> bytes)
    {
        if (!_begun || bytes.Length == 0)
        {
            return;
        }

        int keep = Math.Min(bytes.Length, limit - _kept.Count);
        _kept.AddRange(bytes.Span[..keep]);
        Truncated |= keep < bytes.Length;
        try
        {
            pass?.Invoke(bytes);
        }
        catch (Exception error)
        {
            // The callback's failure is the command's end.
            _ended.TrySetException(error);
        }
    }
}
