using Virtigo.Images;

namespace Virtigo.Appliances;

/// <summary>Something that happened during a build, for a person or program that watches it.</summary>
public abstract record BuildEvent;

/// <summary>A step of the build began.</summary>
/// <param name="Stage">The step's name, for example <c>install: base system</c>.</param>
public sealed record StageStarted(string Stage) : BuildEvent;

/// <summary>The step under way went on.</summary>
/// <param name="Stage">The step's name.</param>
/// <param name="Fraction">How much of the step is done, 0 to 1; null when unknown.</param>
/// <param name="Detail">What it does at this moment; null when there is nothing to say.</param>
public sealed record StageProgress(string Stage, double? Fraction, string? Detail) : BuildEvent;

/// <summary>A step came to its end.</summary>
/// <param name="Stage">The step's name.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record StageFinished(string Stage, TimeSpan Elapsed) : BuildEvent;

/// <summary>How far the whole build is.</summary>
/// <param name="Fraction">How much is done, 0 to 1; it never falls.</param>
/// <param name="Elapsed">The time since the build began.</param>
/// <param name="Remaining">The time still needed, learnt from earlier builds on this host.</param>
public sealed record BuildEstimate(double Fraction, TimeSpan Elapsed, TimeSpan Remaining) : BuildEvent;

/// <summary>Something worth knowing that is no step: the accelerator in use, a mirror that was passed over, another build waited for.</summary>
/// <param name="Text">One sentence.</param>
public sealed record BuildNote(string Text) : BuildEvent;

/// <summary>How a build is done.</summary>
public sealed record BuildOptions
{
    /// <summary>Make no request to a network; what is not in the cache is an error. Default: false.</summary>
    public bool Offline { get; init; }

    /// <summary>Accept archives whose Release file expired. Default: false.</summary>
    public bool AllowExpired { get; init; }

    /// <summary>Build even if the image is in the store. Default: false.</summary>
    public bool Force { get; init; }

    /// <summary>
    /// Install from the beginning, even where an installer was saved that this build could go on from, and even if the image is in the store.
    /// Default: false.
    /// </summary>
    public bool Full { get; init; }

    /// <summary>How long the build may take, once its archives are open. Default: as long as it makes progress.</summary>
    public TimeSpan? TimeLimit { get; init; }

    /// <summary>How much the guest may fetch from its archives, in bytes. Default: what its disk can hold.</summary>
    public long? TrafficLimit { get; init; }

    /// <summary>The accelerator to use. Default: the best that works here.</summary>
    public Hypervisors.Accelerator Accelerator { get; init; }

    /// <summary>The specification as the user wrote it, for the manifest; plaintext passwords removed. Default: empty.</summary>
    public string SpecText { get; init; } = "";

    /// <summary>The command that repeats this build, quoted for a shell, for the report of a failure.</summary>
    public string RerunCommand { get; init; } = "virtigo build";

    /// <summary>Reads a size as people write it: <c>512MiB</c>.</summary>
    /// <param name="text">The text.</param>
    /// <returns>Bytes.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when it is none.</exception>
    public static long ReadSize(string text) => ReadSize(text, "--traffic-limit 2GiB");

    /// <summary>Reads a size such as <c>2GiB</c>.</summary>
    /// <param name="text">The text.</param>
    /// <param name="example">How it is said rightly, for the message.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: it is none.</exception>
    public static long ReadSize(string text, string example) => ByteSize.TryParse(text, out long bytes) ? bytes
        : throw new VirtigoException(FailureKind.Usage, $"{SpecProblems.Quote(text)} is not a size: expected {ByteSize.Expected}.", $"As in: {example}");
}

/// <summary>What a build led to.</summary>
/// <param name="Image">The image in the store.</param>
/// <param name="AlreadyBuilt">Whether it was there before.</param>
/// <param name="Elapsed">How long the build took, all in all.</param>
public sealed record BuildResult(StoredImage Image, bool AlreadyBuilt, TimeSpan Elapsed);
