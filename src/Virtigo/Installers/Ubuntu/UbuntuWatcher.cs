using Virtigo.Hypervisors;
using Virtigo.Installers.Debian;

namespace Virtigo.Installers.Ubuntu;

/// <summary>How an install of Ubuntu is watched.</summary>
internal sealed record UbuntuWatcherOptions
{
    /// <summary>The silence after which an install counts as stuck, on the reference machine of <see cref="HostSpeed"/>.</summary>
    public TimeSpan QuietLimit { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>The silence after a step that failed which says that the installer gave up without saying so.</summary>
    public TimeSpan GivesUp { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>The host's measured speed, which scales the limits.</summary>
    public HostSpeed Speed { get; init; } = HostSpeed.OfReference;

    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>What earlier installs took; null for the reference machine's times, scaled.</summary>
    public InstallEstimator? Estimator { get; init; }

    /// <summary>Called for each event, one at a time. It must not call the watcher.</summary>
    public Action<InstallEvent>? OnEvent { get; init; }
}

/// <summary>
/// Follows Ubuntu's installer by what it reports and by what it writes to its serial ports: how far it is, whether it failed and why.
/// What it reads comes from the guest: everything is bounded, and no input makes it throw. Safe for use by several threads.
/// </summary>
internal sealed class UbuntuWatcher
{
    private const int KeptLines = 200;
    private const int EvidenceLines = 40;
    private const int LongestLine = 300;
    private readonly UbuntuWatcherOptions _options;
    private readonly InstallEstimator _estimator;
    private readonly Lock _gate = new();
    private readonly TextLines _log = new();
    private readonly TextLines _console = new();
    private readonly Queue<string> _recent = new();
    private readonly Dictionary<InstallStage, StageTiming> _timings = [];
    private readonly long _started;
    private long _stageStarted;
    private long _lastSign;
    private int _steps;
    private double _fraction;
    private double _stageFraction;
    private string? _detail;
    private InstallStage _stage;
    private InstallerReport? _failed;
    private InstallStage _failedIn;
    private string? _stepFailed;
    private InstallFailure? _failure;

    /// <summary>Begins to watch; the time runs from here.</summary>
    public UbuntuWatcher(UbuntuWatcherOptions options)
    {
        _options = options;
        _estimator = options.Estimator ?? InstallEstimator.Of(options.Speed);
        _started = _stageStarted = _lastSign = options.Clock.GetTimestamp();
    }

    /// <summary>Whether the installer has reported that it shuts the machine down.</summary>
    public bool Ending { get; private set; }

    /// <summary>The time and work of each stage so far, to learn from when the install has succeeded.</summary>
    public IReadOnlyDictionary<InstallStage, StageTiming> Timings
    {
        get
        {
            lock (_gate)
            {
                return new Dictionary<InstallStage, StageTiming>(_timings) { [_stage] = StageNow() };
            }
        }
    }

    /// <summary>Takes one of the installer's reports.</summary>
    public void Take(InstallerReport report)
    {
        lock (_gate)
        {
            _lastSign = _options.Clock.GetTimestamp();
            Keep($"{(report.Finished ? "finish" : "start")}: {report.Name}: {(report.Finished ? report.Result.ToString().ToUpperInvariant() + ": " : "")}{report.Description}");
            _steps++;
            if (report.Result == ReportResult.Failure && _failed is null)
            {
                (_failed, _failedIn) = (report, _stage);
            }

            if (report.Description.Length > 0 && !report.Finished)
            {
                _detail = report.Description;
            }

            Ending |= report.Name.StartsWith("subiquity/Shutdown", StringComparison.Ordinal);
            if (UbuntuStages.Of(report) is { } stage && stage > _stage)
            {
                _timings[_stage] = StageNow();
                (_stage, _steps, _stageFraction) = (stage, 0, 0);
                _stageStarted = _options.Clock.GetTimestamp();
            }

            _options.OnEvent?.Invoke(Measure());
        }
    }

    /// <summary>Takes bytes of the port that the last steps and the installer's log are written to.</summary>
    public void FeedLog(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            _lastSign = _options.Clock.GetTimestamp();
            _log.Feed(bytes, line =>
            {
                Keep(line);
                if (line.StartsWith(UbuntuSeed.StepFailed, StringComparison.Ordinal))
                {
                    _stepFailed ??= Short(line[UbuntuSeed.StepFailed.Length..]);
                }
                else if (line.StartsWith(UbuntuSeed.Failed, StringComparison.Ordinal))
                {
                    Fail(Because());
                }
            });
        }
    }

    /// <summary>Takes bytes of the installer's console.</summary>
    public void FeedConsole(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            _lastSign = _options.Clock.GetTimestamp();
            _console.Feed(bytes, line =>
            {
                Keep(line);
                if (LogSuspicions.OfKernel(line) is { Fatal: true } fatal)
                {
                    Fail(new InstallFailure(fatal.Kind, fatal.Message, fatal.Hint, Evidence()));
                }
            });
        }
    }

    /// <summary>Looks whether the installer gave up or is stuck, and reports progress. To be called about once a second.</summary>
    /// <returns>The failure, once there is one.</returns>
    public InstallFailure? Check()
    {
        lock (_gate)
        {
            TimeSpan silence = _options.Clock.GetElapsedTime(_lastSign);
            if (_failed is not null && silence >= _options.Speed.Scale(_options.GivesUp))
            {
                Fail(Because());
            }
            else if (silence >= _options.Speed.Scale(_options.QuietLimit))
            {
                Fail(new InstallFailure(FailureKind.Stalled,
                    $"The installer has said nothing for {silence.TotalMinutes:0} minutes, in the stage {_stage}. Its last line: {Short(_recent.LastOrDefault() ?? "nothing")}.",
                    "See its console in the report. If much else ran on this host, run it again beside less.", Evidence()));
            }
            else if (_failure is null)
            {
                _options.OnEvent?.Invoke(Measure());
            }

            return _failure;
        }
    }

    /// <summary>The best reason for an install that ended without success, for when the guest is gone; null when nothing explains it.</summary>
    public InstallFailure? Explain()
    {
        lock (_gate)
        {
            return _failure ?? (_failed is null && _stepFailed is null ? null : Because());
        }
    }

    /// <summary>The last lines of everything that the installer said, oldest first.</summary>
    /// <param name="count">How many at most; up to 200 are kept.</param>
    public IReadOnlyList<string> LastLines(int count)
    {
        lock (_gate)
        {
            return [.. _recent.TakeLast(count)];
        }
    }

    /// <summary>Reads both ports until they end or the install fails, checking once a second.</summary>
    /// <param name="log">The port of the last steps and the log.</param>
    /// <param name="console">The installer's console.</param>
    /// <param name="cancellationToken">Ends the watching.</param>
    /// <returns>The failure, or null when the ports ended first: then the guest is gone.</returns>
    public async Task<InstallFailure?> WatchAsync(Stream log, Stream console, CancellationToken cancellationToken)
    {
        await GuestWatch.UntilFailureAsync((log, FeedLog), (console, FeedConsole), Check, _options.Clock, cancellationToken);
        lock (_gate)
        {
            return _failure;
        }
    }

    private void Keep(string line)
    {
        if (line.Length == 0)
        {
            return;
        }

        _recent.Enqueue(line);
        if (_recent.Count > KeptLines)
        {
            _recent.Dequeue();
        }
    }

    private InstallFailure Because()
    {
        string step = _stepFailed is { } said ? said : _failed is { } failed ? $"{Short(failed.Name)} failed: {Short(failed.Description)}" : "it does not say in which step";
        return new InstallFailure(FailureKind.Install, $"The installer failed in the stage {(_failed is null ? _stage : _failedIn)}: {step}.",
            _stepFailed is null ? "The end of the installer's own log is in the report." : "What the step printed is in the report.", Evidence());
    }

    private void Fail(InstallFailure failure)
    {
        if (_failure is null)
        {
            _failure = failure;
            _options.OnEvent?.Invoke(failure);
        }
    }

    private string[] Evidence() => [.. _recent.TakeLast(EvidenceLines)];

    private static string Short(string text)
    {
        string line = text.Trim().TrimEnd('.');
        return line.Length > LongestLine ? line[..LongestLine] + "..." : line;
    }

    private StageTiming StageNow() => new(_options.Clock.GetElapsedTime(_stageStarted).TotalSeconds, _steps);

    private InstallProgress Measure()
    {
        _stageFraction = Math.Max(_stageFraction, _estimator.StageFraction(_stage, _options.Clock.GetElapsedTime(_stageStarted), _steps, announced: 0));
        _fraction = Math.Max(_fraction, _estimator.Fraction(_stage, _stageFraction));
        return new InstallProgress(_stage, _stageFraction, _fraction, _options.Clock.GetElapsedTime(_started), _estimator.Remaining(_stage, _stageFraction), _detail);
    }
}
