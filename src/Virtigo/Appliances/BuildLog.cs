using Virtigo.Archives;
using Virtigo.Images;
using Virtigo.Installers;

namespace Virtigo.Appliances;

/// <summary>Tells a build's watcher what happens, and remembers how long each stage took.</summary>
internal sealed class BuildLog(TimeProvider clock, IProgress<BuildEvent>? progress)
{
    /// <summary>Downloads report every few kilobytes; nobody reads faster than this.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);

    private readonly long _start = clock.GetTimestamp();
    private readonly List<ImageTiming> _timings = [];
    private InstallStage? _installStage;
    private long _stageStart;
    private long _lastFetch;

    public TimeSpan Elapsed => clock.GetElapsedTime(_start);

    /// <summary>The stage under way, or the last one.</summary>
    public string Stage { get; private set; } = "";

    public IReadOnlyList<ImageTiming> Timings => _timings;

    public void Note(string text) => progress?.Report(new BuildNote(text));

    public async Task<T> StageAsync<T>(string stage, Func<Task<T>> work)
    {
        Begin(stage);
        T result = await work();
        End();
        return result;
    }

    /// <summary>Follows the installer through its stages.</summary>
    public void Installing(InstallEvent happened)
    {
        if (happened is not InstallProgress now)
        {
            return;
        }

        if (_installStage != now.Stage)
        {
            Installed();
            _installStage = now.Stage;
            Begin("install: " + Name(now.Stage));
        }

        progress?.Report(new StageProgress(Stage, now.StageFraction, now.Detail));
        progress?.Report(new BuildEstimate(now.Fraction, Elapsed, now.Remaining));
    }

    /// <summary>The installer's last stage is over.</summary>
    public void Installed()
    {
        if (_installStage is not null)
        {
            End();
            _installStage = null;
        }
    }

    public void Fetched(FetchProgress fetch)
    {
        // While it installs, the installer's own words tell more than what it downloads; trouble with a mirror is told always.
        bool tooSoon = !fetch.Finished && clock.GetElapsedTime(Interlocked.Read(ref _lastFetch)) < Pace;
        if (fetch.Note is null && (tooSoon || _installStage is not null))
        {
            return;
        }

        Interlocked.Exchange(ref _lastFetch, clock.GetTimestamp());
        double? fraction = fetch.Total is > 0 and var total ? Math.Clamp((double)fetch.Received / total, 0, 1) : null;
        string file = fetch.Url[(fetch.Url.LastIndexOf('/') + 1)..];
        progress?.Report(new StageProgress(Stage, fraction, fetch.Note is null ? file : $"{file}: {fetch.Note}"));
    }

    private static string Name(InstallStage stage) => stage switch
    {
        InstallStage.Components => "components",
        InstallStage.Disk => "disk",
        InstallStage.BaseSystem => "base system",
        InstallStage.Kernel => "kernel",
        InstallStage.Apt => "package sources",
        InstallStage.Packages => "packages",
        InstallStage.BootLoader => "boot loader",
        _ => "finishing",
    };

    private void Begin(string stage)
    {
        Stage = stage;
        _stageStart = clock.GetTimestamp();
        progress?.Report(new StageStarted(stage));
    }

    private void End()
    {
        TimeSpan took = clock.GetElapsedTime(_stageStart);
        _timings.Add(new ImageTiming(Stage, Math.Round(took.TotalSeconds, 1)));
        progress?.Report(new StageFinished(Stage, took));
    }
}
