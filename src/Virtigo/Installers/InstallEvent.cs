namespace Virtigo.Installers;

/// <summary>The steps of an unattended install, in their order, whatever the distribution.</summary>
public enum InstallStage
{
    /// <summary>The installer boots, finds its devices and network, and loads its components.</summary>
    Components,

    /// <summary>The disk is partitioned and formatted.</summary>
    Disk,

    /// <summary>The base system is unpacked and configured.</summary>
    BaseSystem,

    /// <summary>The kernel is installed and its initramfs built.</summary>
    Kernel,

    /// <summary>The package manager of the installed system is configured.</summary>
    Apt,

    /// <summary>Packages are upgraded and those asked for installed.</summary>
    Packages,

    /// <summary>The boot loader is installed.</summary>
    BootLoader,

    /// <summary>The last settings are made and the disk is unmounted.</summary>
    Finishing,
}

/// <summary>Something that happened during an install.</summary>
public abstract record InstallEvent;

/// <summary>How far an install is.</summary>
/// <param name="Stage">The step under way.</param>
/// <param name="StageFraction">How much of the step is done, 0 to 1.</param>
/// <param name="Fraction">How much of the install is done, 0 to 1; it never falls.</param>
/// <param name="Elapsed">The time since the guest was started.</param>
/// <param name="Remaining">The time still needed, as learnt from earlier installs on this host.</param>
/// <param name="Detail">What the installer does at this moment, for example the package it configures; null when it does not say.</param>
public sealed record InstallProgress(
    InstallStage Stage, double StageFraction, double Fraction, TimeSpan Elapsed, TimeSpan Remaining, string? Detail) : InstallEvent;

/// <summary>A question that the installer waits on, because nothing answered it.</summary>
/// <param name="Name">The question's debconf name, for example <c>partman/confirm</c>; the likeliest when several ask in the
/// same words; null when it could not be found out.</param>
/// <param name="Type">The question's debconf type, for example <c>select</c>; null when unknown.</param>
/// <param name="Text">The question as it stands on the installer's screen.</param>
/// <param name="Choices">The answers that the installer offers; empty when any text will do.</param>
/// <param name="AnswerLine">The preseed line that answers the question, or one for each that asks in the same words; null when its name is unknown or it only reports an error.</param>
public sealed record InstallQuestion(
    string? Name, string? Type, string Text, IReadOnlyList<string> Choices, string? AnswerLine) : InstallEvent;

/// <summary>The install cannot go on.</summary>
/// <param name="Kind">What kind of failure it is.</param>
/// <param name="Message">What failed, where, and what was expected.</param>
/// <param name="Hint">What to do about it, or null.</param>
/// <param name="Evidence">The lines of the installer's log or screen that show it, oldest first; at most 40.</param>
public sealed record InstallFailure(FailureKind Kind, string Message, string? Hint, IReadOnlyList<string> Evidence) : InstallEvent
{
    /// <summary>The question the installer waits on, when that is what stopped it.</summary>
    public InstallQuestion? Question { get; init; }

    /// <summary>The failure as an exception.</summary>
    public VirtigoException ToException() => new(Kind, Message, Hint);
}
