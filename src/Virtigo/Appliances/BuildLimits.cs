using System.Globalization;

namespace Virtigo.Appliances;

/// <summary>Ends a build that wants more than it may have: the spec and what it installs may be a stranger's.</summary>
internal sealed class BuildLimits : IDisposable
{
    private readonly BuildOptions _options;
    private readonly CancellationTokenSource _time;
    private readonly CancellationTokenSource _traffic = new();
    private readonly CancellationTokenSource _any;
    private long _given;

    /// <summary>The time runs from here.</summary>
    public BuildLimits(BuildOptions options, TimeProvider clock, CancellationToken cancellationToken)
    {
        _options = options;
        _time = new CancellationTokenSource(options.TimeLimit ?? Timeout.InfiniteTimeSpan, clock);
        _any = CancellationTokenSource.CreateLinkedTokenSource(_time.Token, _traffic.Token, cancellationToken);
    }

    /// <summary>Is cancelled when a limit is passed, or the build.</summary>
    public CancellationToken Token => _any.Token;

    /// <summary>What was too much, or null.</summary>
    public VirtigoException? Passed =>
        _traffic.IsCancellationRequested ? new VirtigoException(FailureKind.Install,
            $"The guest wanted more than {ByteSize.Format(_options.TrafficLimit!.Value)} of archives' files, which is the limit of this build.",
            "Give a higher --traffic-limit, or install less.")
        : _time.IsCancellationRequested ? new VirtigoException(FailureKind.TimedOut,
            string.Create(CultureInfo.InvariantCulture, $"The build took longer than {_options.TimeLimit!.Value.TotalMinutes:0.#} minutes, which is its limit."),
            "Give a higher --time-limit; on a host without KVM an install takes 10 to 40 minutes.")
        : null;

    /// <summary>Counts what the guest was given.</summary>
    public void Gave(long bytes)
    {
        if (Interlocked.Add(ref _given, bytes) > _options.TrafficLimit)
        {
            // Not here: what is cancelled may wait for the very connection that this is called from.
            _ = _traffic.CancelAsync();
        }
    }

    public void Dispose()
    {
        _any.Dispose();
        _traffic.Dispose();
        _time.Dispose();
    }
}
