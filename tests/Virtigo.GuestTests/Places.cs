using System.Diagnostics;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>
/// Places for guests. Who keeps one for long comes first: what is left for the end runs alone, beside empty places. All others come in the order in which
/// they asked: who asks for many is overtaken by those who ask for one only while somebody keeps a place for long.
/// </summary>
/// <param name="count">How many there are.</param>
internal sealed class Places(int count)
{
    private readonly Lock _gate = new();
    private readonly List<Request> _waiting = [];
    private int _free = count;
    private int _long;

    /// <summary>How many there are.</summary>
    public int Count { get; } = count;

    /// <summary>Waits for places; disposing what is given gives them back.</summary>
    /// <param name="wanted">How many.</param>
    /// <param name="isLong">Whether they will be kept for long.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task<IDisposable> TakeAsync(int wanted, bool isLong, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(wanted, Count);
        var given = new TaskCompletionSource<IDisposable>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            _waiting.Insert(isLong ? _waiting.TakeWhile(request => request.IsLong).Count() : _waiting.Count, new Request(wanted, isLong, given));
            Serve();
        }

        await using CancellationTokenRegistration cancelled = cancellationToken.Register(() => given.TrySetCanceled(cancellationToken));
        return await given.Task;
    }

    private void Serve()
    {
        _waiting.RemoveAll(request => request.Given.Task.IsCompleted);
        while (_waiting.FindIndex(request => request.Wanted <= _free) is >= 0 and var next && (next == 0 || _long > 0))
        {
            Request request = _waiting[next];
            _waiting.RemoveAt(next);
            if (request.Given.TrySetResult(new Taken(this, request)))
            {
                _free -= request.Wanted;
                _long += request.IsLong ? 1 : 0;
            }
        }
    }

    private void GiveBack(Request request)
    {
        lock (_gate)
        {
            _free += request.Wanted;
            _long -= request.IsLong ? 1 : 0;
            Serve();
        }
    }

    private sealed record Request(int Wanted, bool IsLong, TaskCompletionSource<IDisposable> Given);

    private sealed class Taken(Places all, Request request) : IDisposable
    {
        private Request? _request = request;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _request, null) is { } given)
            {
                all.GiveBack(given);
            }
        }
    }
}

/// <summary>Places whose test says how long it kept them, and is cancelled when that is too long.</summary>
internal sealed class WatchedPlaces : IDisposable
{
    private readonly IDisposable _places;
    private readonly ITestContext _test = TestContext.Current;
    private readonly long _since = Stopwatch.GetTimestamp();
    private readonly ITimer _timer;

    public WatchedPlaces(IDisposable places, TimeSpan patience)
    {
        _places = places;
        _timer = TimeProvider.System.CreateTimer(_ =>
        {
            _test.SendDiagnosticMessage("{0} kept its places for {1}: it is cancelled.", _test.Test?.TestDisplayName, patience);
            _test.CancelCurrentTest();
        }, null, patience, Timeout.InfiniteTimeSpan);
    }

    public void Dispose()
    {
        _timer.Dispose();
        _places.Dispose();
        _test.SendDiagnosticMessage("{0} kept its places for {1:0} s.", _test.Test?.TestDisplayName ?? _test.TestClass?.TestClassSimpleName, Stopwatch.GetElapsedTime(_since).TotalSeconds);
    }
}
