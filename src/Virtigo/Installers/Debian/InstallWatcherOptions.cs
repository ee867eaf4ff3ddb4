using Virtigo.Hypervisors;

namespace Virtigo.Installers.Debian;

/// <summary>How an install is watched.</summary>
internal sealed record InstallWatcherOptions
{
    /// <summary>The silence after which an install counts as stuck, on the reference machine of <see cref="HostSpeed"/>; the longest silence
    /// of a good one there is two and a half minutes, while an initramfs is built, and beside much else four times that.</summary>
    public TimeSpan QuietLimit { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How long a prompt has to stand before it counts, so that the log has caught up with the screen.</summary>
    public TimeSpan PromptSettles { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The host's measured speed, which scales the limits.</summary>
    public HostSpeed Speed { get; init; } = HostSpeed.OfReference;

    /// <summary>The stage that the install begins in: not the first when it goes on where another was saved.</summary>
    public InstallStage FirstStage { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>What earlier installs took; null for the reference machine's times, scaled.</summary>
    public InstallEstimator? Estimator { get; init; }

    /// <summary>The questions of the installer, to name one by its text.</summary>
    public TemplateCatalog? Templates { get; init; }

    /// <summary>Names of packages near to a misspelt one, best first.</summary>
    public Func<string, IEnumerable<string>> NearPackages { get; init; } = _ => [];

    /// <summary>Called for each event, one at a time, from the thread that feeds the watcher. It must not call the watcher.</summary>
    public Action<InstallEvent>? OnEvent { get; init; }
}
