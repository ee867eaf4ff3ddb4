using System.Text.RegularExpressions;

namespace Virtigo.Installers.Debian;

/// <summary>
/// Reads debian-installer's syslog and console while it works: how far it is, what it waits for, why it fails.
/// What it reads comes from the guest: every buffer is bounded, and no input makes it throw. Safe for use by several threads.
/// </summary>
internal sealed partial class InstallWatcher
{
    private const int KeptLines = 200;
    private const int EvidenceLines = 40;
    private const int PromptWindow = 12 * 1024;
    private const int StampedEmpty = 40;
    private const int BetterThanScreen = 50;
    private const string MainMenu = "debian-installer/main-menu";
    private readonly InstallWatcherOptions _options;
    private readonly InstallEstimator _estimator;
    private readonly LogSuspicions _suspicions;
    private readonly Lock _gate = new();
    private readonly TextLines _lines = new();
    private readonly TextLines _consoleLines = new();
    private readonly TerminalText _console = new();
    private readonly StageReader _stages;
    private readonly DebconfTrace _debconf = new();
    private readonly Queue<string> _recent = new();
    private readonly Dictionary<InstallStage, StageTiming> _timings = [];
    private readonly long _started;
    private long _stageStarted;
    private long _lastSign;
    private long _lastScreen;
    private double _fraction;
    private double _stageFraction;
    private Suspicion? _suspect;
    private string[] _suspectLines = [];
    private string _screen = "";
    private InstallFailure? _failure;

    /// <summary>Begins to watch; the time runs from here.</summary>
    public InstallWatcher(InstallWatcherOptions options)
    {
        _options = options;
        _estimator = options.Estimator ?? InstallEstimator.Of(options.Speed);
        _suspicions = new LogSuspicions(options.NearPackages);
        _stages = new StageReader(options.FirstStage);
        _started = _stageStarted = _lastSign = _lastScreen = options.Clock.GetTimestamp();
    }

    /// <summary>How far the install is.</summary>
    public InstallProgress Progress
    {
        get
        {
            lock (_gate)
            {
                return Measure();
            }
        }
    }

    /// <summary>Why the install cannot go on, once that is known.</summary>
    public InstallFailure? Failure
    {
        get
        {
            lock (_gate)
            {
                return _failure;
            }
        }
    }

    /// <summary>The time and work of each stage so far, to learn from when the install has succeeded; not of one that began before.</summary>
    public IReadOnlyDictionary<InstallStage, StageTiming> Timings
    {
        get
        {
            lock (_gate)
            {
                var all = new Dictionary<InstallStage, StageTiming>(_timings) { [_stages.Stage] = StageNow() };
                if (_options.FirstStage != InstallStage.Components)
                {
                    all.Remove(_options.FirstStage);
                }

                return all;
            }
        }
    }

    /// <summary>Takes bytes of the installer's syslog.</summary>
    public void FeedSyslog(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            _lastSign = _options.Clock.GetTimestamp();
            _lines.Feed(bytes, TakeLog);
        }
    }

    /// <summary>Takes bytes of the installer's console.</summary>
    public void FeedConsole(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            _console.Feed(bytes);
            string screen = Prompting();
            if (screen != _screen)
            {
                _screen = screen;
                _lastSign = _lastScreen = _options.Clock.GetTimestamp();
            }

            _consoleLines.Feed(bytes, line =>
            {
                if (LogSuspicions.OfKernel(line) is { } suspicion)
                {
                    Suspect(suspicion, line);
                }
            });
        }
    }

    /// <summary>Looks whether the installer waits or is stuck, and reports progress. To be called about once a second.</summary>
    /// <returns>The failure, once there is one.</returns>
    public InstallFailure? Check()
    {
        lock (_gate)
        {
            if (_failure is not null)
            {
                return _failure;
            }

            TimeSpan sinceScreen = _options.Clock.GetElapsedTime(_lastScreen);
            TimeSpan sinceSign = _options.Clock.GetElapsedTime(_lastSign);
            if (sinceScreen >= _options.PromptSettles && ConsoleQuestion.Waiting(_screen) is { } question)
            {
                Fail(Waiting(question));
            }
            else if (sinceSign >= _options.Speed.Scale(_options.QuietLimit))
            {
                Fail(Silent(sinceSign));
            }
            else
            {
                _options.OnEvent?.Invoke(Measure());
            }

            return _failure;
        }
    }

    /// <summary>
    /// The best reason for an install that ended without success, for when the guest is gone; null when nothing in its log explains it.
    /// </summary>
    public InstallFailure? Explain()
    {
        lock (_gate)
        {
            return _failure ?? (_suspect is null ? null : Because(_suspect));
        }
    }

    /// <summary>The last lines of the syslog, oldest first.</summary>
    /// <param name="count">How many at most; up to 200 are kept.</param>
    public IReadOnlyList<string> LastLines(int count)
    {
        lock (_gate)
        {
            return [.. _recent.TakeLast(count)];
        }
    }

    /// <summary>What is on the installer's screen, as text without control sequences; at most 64 KiB.</summary>
    public string Screen()
    {
        lock (_gate)
        {
            return _console.ToString();
        }
    }

    /// <summary>Reads both streams until they end or the install fails, checking once a second.</summary>
    /// <param name="syslog">The installer's syslog.</param>
    /// <param name="console">The installer's console.</param>
    /// <param name="cancellationToken">Ends the watching.</param>
    /// <returns>The failure, or null when the streams ended first: then the guest is gone, and how is for the hypervisor to say.</returns>
    public async Task<InstallFailure?> WatchAsync(Stream syslog, Stream console, CancellationToken cancellationToken)
    {
        await GuestWatch.UntilFailureAsync((syslog, FeedSyslog), (console, FeedConsole), Check, _options.Clock, cancellationToken);
        return Failure;
    }

    /// <summary>The end of what is on the screen, without the bar with the time that is drawn over it each minute: that is no sign of life.</summary>
    private string Prompting() => StatusBar().Replace(_console.Tail(PromptWindow), "").TrimEnd('\n', ' ');

    // Whole, or as far as it has been drawn.
    [GeneratedRegex(@"\[ {2,}[^\[\]\n]{0,200}\([0-9][*][a-z]{1,20}\)[^\[\]\n]{0,200}\]\[ [A-Z][a-z]{2} [ 0-9][0-9] [ 0-9][0-9]:[0-9]{2} \]|\[( {2,}[^\n]{0,300}| ?)\z",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex StatusBar();

    private void TakeLog(string line)
    {
        _recent.Enqueue(line);
        if (_recent.Count > KeptLines)
        {
            _recent.Dequeue();
        }

        SyslogLine parsed = SyslogLine.Parse(line);
        if (parsed.Program == "debconf")
        {
            _debconf.Take(parsed.Message);
            return;
        }

        StageTiming before = StageNow();
        InstallStage stage = _stages.Stage;
        if (_stages.Take(parsed))
        {
            _timings[stage] = before;
            _stageStarted = _options.Clock.GetTimestamp();
            _stageFraction = 0;
            if (_suspect is { Lasting: false })
            {
                _suspect = null;
            }

            _options.OnEvent?.Invoke(Measure());
        }

        if (_suspicions.Of(parsed.Program, parsed.Message) is { } suspicion)
        {
            Suspect(suspicion, line);
        }
    }

    private void Suspect(Suspicion suspicion, string line)
    {
        if (_suspect is null || suspicion.Weight > _suspect.Weight)
        {
            _suspect = suspicion;
            string[] lines = [.. _recent.TakeLast(EvidenceLines - 1)];
            _suspectLines = lines.Contains(line) ? lines : [.. lines, line];
        }

        if (suspicion.Fatal)
        {
            Fail(Because(suspicion));
        }
    }

    private void Fail(InstallFailure failure)
    {
        if (_failure is null)
        {
            _failure = failure;
            _options.OnEvent?.Invoke(failure);
        }
    }

    private InstallFailure Because(Suspicion suspicion) => new(suspicion.Kind, suspicion.Message, suspicion.Hint, _suspectLines);

    private InstallFailure Waiting(ConsoleQuestion screen)
    {
        InstallQuestion question = Named(screen);
        _options.OnEvent?.Invoke(question);
        bool reportsFailure = screen.IsError || ErrorScreens.Meaning(screen) is not null || question.Name == MainMenu;
        if (_suspect is not null && reportsFailure && (_suspect.Weight >= BetterThanScreen || ErrorScreens.Meaning(screen) is null))
        {
            return Because(_suspect) with { Question = question };
        }

        string asked = question.Name is null ? $"\"{screen.Question}\"" : $"\"{screen.Question}\" ({question.Name})";
        if (ErrorScreens.Meaning(screen) is { } known)
        {
            return new InstallFailure(known.Kind, $"{known.Meaning}. The installer says: {OneLine(screen.Text)}", known.Hint, Evidence(screen))
            {
                Question = question,
            };
        }

        return screen.IsError
            ? new InstallFailure(FailureKind.Install, $"The installer reports an error, {asked}: {OneLine(screen.Text)}",
                "The lines before it are in the report's log.", Evidence(screen)) { Question = question }
            : new InstallFailure(FailureKind.Stalled, $"The installer waits for an answer to {asked}." + Offered(screen),
                question.AnswerLine is { } line
                    ? $"Answer it in advance with: {line}"
                    : "Find the question's name in its log, and answer it in advance.",
                Evidence(screen)) { Question = question };
    }

    private InstallQuestion Named(ConsoleQuestion screen) =>
        QuestionNamer.Name(screen, _options.Templates, _debconf.Asked);

    private InstallFailure Silent(TimeSpan silence)
    {
        if (_suspect is not null)
        {
            return Because(_suspect);
        }

        string last = _recent.LastOrDefault(l => l.Length > StampedEmpty) ?? "nothing";
        string asked = _debconf.Asked is { } question ? $" The last question asked was {question}." : "";
        return new InstallFailure(FailureKind.Stalled,
            $"The installer has said nothing for {silence.TotalMinutes:0} minutes, in the stage {_stages.Stage}. "
            + $"Its last line: {OneLine(last)}.{asked}",
            "See the screen and the log in the report. If much else ran on this host, run it again beside less.",
            [.. _recent.TakeLast(EvidenceLines / 2), .. _console.LastLines(EvidenceLines / 2)]);
    }

    private string[] Evidence(ConsoleQuestion screen) =>
        [.. _recent.TakeLast(EvidenceLines / 2), .. screen.Text.Split('\n').Take(EvidenceLines / 2)];

    private static string Offered(ConsoleQuestion screen) =>
        screen.Choices.Count == 0 ? "" : $" It offers: {string.Join(" | ", screen.Choices.Take(20))}.";

    private static string OneLine(string text)
    {
        string line = string.Join(' ', text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
        return line.Length > 500 ? line[..500] + "..." : line;
    }

    private StageTiming StageNow() => new(_options.Clock.GetElapsedTime(_stageStarted).TotalSeconds, _stages.Steps);

    private InstallProgress Measure()
    {
        InstallStage stage = _stages.Stage;
        _stageFraction = Math.Max(_stageFraction,
            _estimator.StageFraction(stage, _options.Clock.GetElapsedTime(_stageStarted), _stages.Steps, _stages.Announced));
        _fraction = Math.Max(_fraction, _estimator.Fraction(stage, _stageFraction));
        return new InstallProgress(stage, _stageFraction, _fraction, _options.Clock.GetElapsedTime(_started),
            _estimator.Remaining(stage, _stageFraction), _stages.Detail);
    }
}
