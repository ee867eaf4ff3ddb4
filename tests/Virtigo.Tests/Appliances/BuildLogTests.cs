using Microsoft.Extensions.Time.Testing;
using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.Installers;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class BuildLogTests : IProgress<BuildEvent>
{
    private readonly FakeTimeProvider _clock = new();
    private readonly List<BuildEvent> _events = [];
    private readonly BuildLog _log;

    public BuildLogTests() => _log = new BuildLog(_clock, this);

    void IProgress<BuildEvent>.Report(BuildEvent value) => _events.Add(value);

    [Fact]
    public async Task Stages_are_told_and_timed_in_order()
    {
        await _log.StageAsync("archives", () => Pass(2));
        _log.Installing(At(InstallStage.Components));
        _clock.Advance(TimeSpan.FromSeconds(30));
        _log.Installing(At(InstallStage.Disk));
        _clock.Advance(TimeSpan.FromSeconds(5));
        _log.Installed();
        await _log.StageAsync("boot test", () => Pass(40));

        Assert.Equal(["archives 2", "install: components 30", "install: disk 5", "boot test 40"],
            _log.Timings.Select(timing => $"{timing.Stage} {timing.Seconds}"));
        Assert.Equal(["archives", "install: components", "install: disk", "boot test"], _events.OfType<StageStarted>().Select(stage => stage.Stage));
        Assert.Equal(4, _events.OfType<StageFinished>().Count());
        Assert.Equal(TimeSpan.FromSeconds(77), _log.Elapsed);
    }

    [Fact]
    public void Downloads_are_told_at_a_pace_that_can_be_read_and_their_troubles_always()
    {
        for (int kilobyte = 0; kilobyte < 1000; kilobyte++)
        {
            _log.Fetched(new FetchProgress("http://mirror.example/big.deb", kilobyte, 1000, Finished: false));
        }

        _log.Fetched(new FetchProgress("http://mirror.example/big.deb", 0, 1000, Finished: false, "connection reset, trying again"));
        StageProgress[] told = [.. _events.OfType<StageProgress>()];
        Assert.True(told.Length <= 2, $"{told.Length} events");
        Assert.Contains("connection reset", told[^1].Detail, StringComparison.Ordinal);
    }

    private static InstallProgress At(InstallStage stage) => new(stage, 0.5, 0.1, TimeSpan.Zero, TimeSpan.FromMinutes(10), null);

    private Task<int> Pass(int seconds)
    {
        _clock.Advance(TimeSpan.FromSeconds(seconds));
        return Task.FromResult(0);
    }
}
