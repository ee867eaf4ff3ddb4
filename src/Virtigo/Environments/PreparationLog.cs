using Virtigo.Appliances;

namespace Virtigo.Environments;

/// <summary>Tells a watcher how far the preparation of an environment is.</summary>
internal sealed class PreparationLog(TimeProvider clock, IProgress<BuildEvent>? progress)
{
    public void Note(string text) => progress?.Report(new BuildNote(text));

    public void Progress(string stage, double? fraction, string detail) => progress?.Report(new StageProgress(stage, fraction, detail));

    public async Task StageAsync(string stage, Func<Task> work)
    {
        long start = clock.GetTimestamp();
        progress?.Report(new StageStarted(stage));
        await work();
        progress?.Report(new StageFinished(stage, clock.GetElapsedTime(start)));
    }
}
