using Xunit;

namespace Virtigo.GuestTests;

/// <summary>Places for guests, given in the order in which they were asked for: who asks for many is not overtaken by those who ask for one.</summary>
/// <param name="count">How many there are.</param>
internal sealed class Places(int count)
{
    private readonly Lock _gate = new();
    private readonly Queue<(int Wanted, TaskCompletionSource<IDisposable> Given)> _waiting = new();
    private int _free = count;

    /// <summary>How many there are.</summary>
    public int Count { get; } = count;

    /// <summary>Waits for places; disposing what is given gives them back.</summary>
    public async Task<IDisposable> TakeAsync(int wanted, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(wanted, Count);
        var given = new TaskCompletionSource<IDisposable>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            _waiting.Enqueue((wanted, given));
            Serve();
        }

        await using CancellationTokenRegistration cancelled = cancellationToken.Register(() => given.TrySetCanceled(cancellationToken));
        return await given.Task;
    }

    private void Serve()
    {
        while (_waiting.TryPeek(out var first) && (first.Wanted <= _free || first.Given.Task.IsCompleted))
        {
            _waiting.Dequeue();
            if (first.Given.TrySetResult(new Taken(this, first.Wanted)))
            {
                _free -= first.Wanted;
            }
        }
    }

    private void GiveBack(int places)
    {
        lock (_gate)
        {
            _free += places;
            Serve();
        }
    }

    private sealed class Taken(Places all, int wanted) : IDisposable
    {
        private int _given = wanted;

        public void Dispose() => all.GiveBack(Interlocked.Exchange(ref _given, 0));
    }
}

/// <summary>Places whose test is cancelled when it keeps them for too long.</summary>
internal sealed class WatchedPlaces : IDisposable
{
    private readonly IDisposable _places;
    private readonly ITimer _timer;

    public WatchedPlaces(IDisposable places, TimeSpan patience)
    {
        ITestContext test = TestContext.Current;
        _places = places;
        _timer = TimeProvider.System.CreateTimer(_ =>
        {
            test.SendDiagnosticMessage("{0} kept its places for {1}: it is cancelled.", test.Test?.TestDisplayName, patience);
            test.CancelCurrentTest();
        }, null, patience, Timeout.InfiniteTimeSpan);
    }

    public void Dispose()
    {
        _timer.Dispose();
        _places.Dispose();
    }
}
