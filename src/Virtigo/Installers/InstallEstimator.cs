using Virtigo.Host;
using Virtigo.Hypervisors;

namespace Virtigo.Installers;

/// <summary>Tells how far an install is and how long it still takes, from what earlier ones on this host took.</summary>
internal sealed class InstallEstimator
{
    private const long MaximumFileBytes = 1 << 20;

    /// <summary>What a minimal Debian 13 took on the reference machine of <see cref="HostSpeed"/>.</summary>
    private static readonly Dictionary<InstallStage, StageTiming> s_reference = new()
    {
        [InstallStage.Components] = new(140, 60),
        [InstallStage.Disk] = new(80, 0),
        [InstallStage.BaseSystem] = new(356, 302),
        [InstallStage.Kernel] = new(209, 20),
        [InstallStage.Apt] = new(41, 0),
        [InstallStage.Packages] = new(104, 30),
        [InstallStage.BootLoader] = new(150, 40),
        [InstallStage.Finishing] = new(60, 25),
    };

    private readonly Dictionary<InstallStage, StageTiming> _stages;
    private readonly string? _file;
    private readonly string _guest;

    private InstallEstimator(Dictionary<InstallStage, StageTiming> stages, string? file, string guest) =>
        (_stages, _file, _guest) = (stages, file, guest);

    /// <summary>Whether the estimate is of this host, not only scaled from another.</summary>
    public bool IsLearnt { get; private init; }

    /// <summary>An estimator that has learnt nothing and remembers nothing.</summary>
    /// <param name="speed">The host's measured speed.</param>
    public static InstallEstimator Of(HostSpeed speed) => new(Scaled(speed), null, "");

    /// <summary>Reads what earlier installs took.</summary>
    /// <param name="paths">Where it is kept.</param>
    /// <param name="accelerator">How the guest runs.</param>
    /// <param name="speed">The host's measured speed, for what was never measured.</param>
    /// <param name="distribution">The distribution whose installer it is; Debian's when null.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static async Task<InstallEstimator> LoadAsync(
        HostPaths paths, Accelerator accelerator, HostSpeed speed, string? distribution, CancellationToken cancellationToken)
    {
        string file = Path.Combine(paths.State, "timings.json");
        string guest = accelerator.ToString().ToLowerInvariant() + (distribution is null ? "" : "-" + distribution);
        InstallTimings timings = await ReadAsync(file, cancellationToken);
        Dictionary<InstallStage, StageTiming> stages = Scaled(speed);
        bool learnt = timings.Guests.TryGetValue(guest, out Dictionary<InstallStage, StageTiming>? known);
        foreach ((InstallStage stage, StageTiming timing) in known ?? [])
        {
            stages[stage] = timing;
        }

        return new InstallEstimator(stages, file, guest) { IsLearnt = learnt };
    }

    /// <summary>How much of a stage is done, 0 to 0.99.</summary>
    /// <param name="stage">The stage.</param>
    /// <param name="elapsed">The time since it began.</param>
    /// <param name="steps">The work done.</param>
    /// <param name="announced">The work it announced, or 0.</param>
    public double StageFraction(InstallStage stage, TimeSpan elapsed, int steps, int announced)
    {
        StageTiming expected = _stages[stage];
        double byTime = expected.Seconds <= 0 ? 1 : Math.Min(1, elapsed.TotalSeconds / expected.Seconds);
        int work = Math.Max(expected.Steps, announced);
        double fraction = work == 0 ? byTime : (byTime + Math.Min(1, (double)steps / work)) / 2;
        return Math.Clamp(fraction, 0, 0.99);
    }

    /// <summary>How much of the install is done, 0 to 1.</summary>
    public double Fraction(InstallStage stage, double stageFraction)
    {
        double total = _stages.Values.Sum(t => t.Seconds);
        double before = _stages.Where(t => t.Key < stage).Sum(t => t.Value.Seconds);
        return total <= 0 ? 0 : Math.Clamp((before + (stageFraction * _stages[stage].Seconds)) / total, 0, 1);
    }

    /// <summary>The time still needed.</summary>
    public TimeSpan Remaining(InstallStage stage, double stageFraction) => TimeSpan.FromSeconds(
        _stages.Where(t => t.Key > stage).Sum(t => t.Value.Seconds) + ((1 - stageFraction) * _stages[stage].Seconds));

    /// <summary>Remembers what a complete install took: half weight to it, half to what was known before.</summary>
    /// <param name="measured">The time and work of each stage.</param>
    /// <param name="cancellationToken">Ends the wait for another process that remembers at the same time.</param>
    public async Task LearnAsync(IReadOnlyDictionary<InstallStage, StageTiming> measured, CancellationToken cancellationToken)
    {
        if (_file is null)
        {
            return;
        }

        using FileLock held = await FileLock.AcquireAsync(_file + ".lock", null, cancellationToken);
        InstallTimings timings = await ReadAsync(_file, cancellationToken);
        if (!timings.Guests.TryGetValue(_guest, out Dictionary<InstallStage, StageTiming>? known))
        {
            known = timings.Guests[_guest] = [];
        }

        foreach ((InstallStage stage, StageTiming now) in measured)
        {
            known[stage] = known.TryGetValue(stage, out StageTiming? before)
                ? new StageTiming((before.Seconds + now.Seconds) / 2, (before.Steps + now.Steps) / 2)
                : now;
        }

        await AtomicFile.WriteTextAsync(_file, timings.ToJson(), cancellationToken);
    }

    private static async Task<InstallTimings> ReadAsync(string file, CancellationToken cancellationToken)
    {
        var info = new FileInfo(file);
        return info.Exists && info.Length <= MaximumFileBytes
            ? InstallTimings.Parse(await File.ReadAllBytesAsync(file, cancellationToken))
            : new InstallTimings();
    }

    private static Dictionary<InstallStage, StageTiming> Scaled(HostSpeed speed) =>
        s_reference.ToDictionary(s => s.Key, s => s.Value with { Seconds = s.Value.Seconds * speed.Factor });
}
