using System.Text;

namespace Virtigo.Machines;

/// <summary>
/// Finds the marks of one command in what a serial console says, and what was said between them. The console is hostile: of the output at most
/// a given amount is kept, of everything else a few hundred bytes.
/// </summary>
/// <param name="command">The command's marks.</param>
/// <param name="limit">The most that is kept, in bytes; the beginning is.</param>
/// <param name="pass">Told what was said as it comes; may be null.</param>
internal sealed class SerialListener(SerialCommand command, int limit, Action<ReadOnlyMemory<byte>>? pass)
{
    // The longest is end.255
    private const int LongestWord = 7;
    private const int TailLength = 200;
    private static readonly byte[] s_ready = Encoding.ASCII.GetBytes(SerialCommand.Ready);
    private readonly byte[] _mark = Encoding.ASCII.GetBytes(command.Mark);
    private readonly Lock _gate = new();
    private readonly List<byte> _kept = [];
    private readonly TaskCompletionSource<int> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<string, TaskCompletionSource> _awaited = [];
    private TaskCompletionSource? _prompt;
    private byte[] _tail = [];
    private byte[] _pending = [];
    private bool _begun;
    private bool _skipLineEnd;

    /// <summary>The exit code, once the end was said.</summary>
    public Task<int> Ended => _ended.Task;

    /// <summary>Whether more was said than was kept. To be asked when it has ended.</summary>
    public bool Truncated { get; private set; }

    /// <summary>What was said, as clean text. To be asked when it has ended.</summary>
    public string Text => ConsoleText.Printable(Encoding.UTF8.GetString([.. _kept]));

    /// <summary>How many bytes are held besides the output.</summary>
    public int Held => _pending.Length + _tail.Length;

    /// <summary>Completes when a mark with this word is said after this call.</summary>
    public Task Next(string word)
    {
        var awaited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            _awaited[word] = awaited;
        }

        return awaited.Task;
    }

    /// <summary>Completes when our shell, or what looks like the prompt of another, answers to what is typed after this call.</summary>
    public Task NextPrompt()
    {
        var prompt = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            (_prompt, _tail) = (prompt, []);
        }

        return prompt.Task;
    }

    /// <summary>Takes what the console said.</summary>
    public void Receive(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            LookForPrompt(bytes);
            if (!_ended.Task.IsCompleted)
            {
                LookForMarks([.. _pending, .. bytes]);
            }
        }
    }

    /// <summary>The console has ended.</summary>
    public void Fail(VirtigoException error)
    {
        lock (_gate)
        {
            _ended.TrySetException(error);
            _prompt?.TrySetException(error);
            foreach (TaskCompletionSource awaited in _awaited.Values)
            {
                awaited.TrySetException(error);
            }
        }
    }

    private void LookForPrompt(ReadOnlySpan<byte> bytes)
    {
        if (_prompt is null or { Task.IsCompleted: true })
        {
            return;
        }

        // Ours is found whatever the kernel says after it, another only as the last that was said.
        byte[] all = [.. _tail, .. bytes];
        _tail = all[Math.Max(0, all.Length - TailLength)..];
        string last = ConsoleText.Printable(Encoding.UTF8.GetString(_tail)).TrimEnd(' ');
        if (all.AsSpan().IndexOf(s_ready) >= 0 || (last.Length > 0 && last[^1] is '#' or '$' or '>' or '%'))
        {
            _prompt.TrySetResult();
        }
    }

    private void LookForMarks(byte[] all)
    {
        for (int place = 0; ;)
        {
            int mark = all.AsSpan(place).IndexOf(_mark);
            if (mark < 0)
            {
                int hold = Math.Max(place, all.Length - _mark.Length + 1);
                Keep(all.AsMemory(place, hold - place));
                _pending = all[hold..];
                return;
            }

            Keep(all.AsMemory(place, mark));
            place += mark;
            ReadOnlySpan<byte> rest = all.AsSpan(place + _mark.Length);
            int close = rest.IndexOf((byte)'@');
            if (close < 0 && rest.Length <= LongestWord)
            {
                _pending = all[place..];
                return;
            }

            if (close is < 0 or > LongestWord || !Take(Encoding.ASCII.GetString(rest[..close])))
            {
                // Something wrote into the mark: it will be said again.
                Keep(all.AsMemory(place, _mark.Length));
                place += _mark.Length;
                continue;
            }

            place += _mark.Length + close + 1;
            if (_ended.Task.IsCompleted)
            {
                _pending = [];
                return;
            }
        }
    }

    /// <summary>Takes a mark's word; false when it is none.</summary>
    private bool Take(string word)
    {
        if (word.StartsWith("end.", StringComparison.Ordinal))
        {
            return byte.TryParse(word[4..], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out byte code)
                && _ended.TrySetResult(code);
        }

        if (word is not ("taken" or "begin" or "killed"))
        {
            return false;
        }

        if (word == "begin")
        {
            // Nothing runs yet, even if this is said for the second time.
            (_begun, _skipLineEnd) = (true, true);
            _kept.Clear();
        }

        if (_awaited.TryGetValue(word, out TaskCompletionSource? awaited))
        {
            awaited.TrySetResult();
        }

        return true;
    }

    private void Keep(ReadOnlyMemory<byte> bytes)
    {
        while (_skipLineEnd && bytes.Length > 0)
        {
            _skipLineEnd = bytes.Span[0] == (byte)'\r';
            bytes = bytes.Span[0] is (byte)'\r' or (byte)'\n' ? bytes[1..] : bytes;
        }

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
