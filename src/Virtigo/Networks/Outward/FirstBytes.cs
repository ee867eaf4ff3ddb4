namespace Virtigo.Networks;

/// <summary>How a connection begins.</summary>
/// <param name="Said">What its first bytes say.</param>
/// <param name="Length">How many there are.</param>
/// <param name="HasEnded">Whether the guest sends nothing more.</param>
internal readonly record struct FirstWords(SpokenName Said, int Length, bool HasEnded)
{
    /// <summary>Whether there were too many without a name.</summary>
    public bool IsFull => Said.Speech == Speech.Incomplete && Length == SpokenName.MaximumBytes;

    /// <summary>Whether more bytes may tell more.</summary>
    public bool IsOpen => Said.Speech == Speech.Incomplete && !HasEnded && !IsFull;
}

/// <summary>Takes the first bytes off a connection until they say for which host it is.</summary>
/// <param name="stream">The connection.</param>
internal sealed class FirstBytes(Stream stream)
{
    private readonly byte[] _buffer = new byte[SpokenName.MaximumBytes];
    private int _length;

    /// <summary>Everything taken.</summary>
    public ReadOnlyMemory<byte> Taken => _buffer.AsMemory(0, _length);

    /// <summary>Waits for some more bytes.</summary>
    public async Task<FirstWords> ReadAsync(CancellationToken cancellationToken)
    {
        int count = await stream.ReadAsync(_buffer.AsMemory(_length), cancellationToken);
        _length += count;
        return new FirstWords(SpokenName.Read(Taken.Span), _length, HasEnded: count == 0);
    }

    /// <summary>Waits until it is clear what they say, or will not be.</summary>
    /// <param name="limit">How long that may take.</param>
    /// <param name="clock">For the limit.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<FirstWords> ReadNameAsync(TimeSpan limit, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(limit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        var words = new FirstWords(new SpokenName(Speech.Incomplete), 0, HasEnded: false);
        try
        {
            while (words.IsOpen)
            {
                words = await ReadAsync(either.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The time is up; what was said until then counts.
        }

        return words;
    }
}
