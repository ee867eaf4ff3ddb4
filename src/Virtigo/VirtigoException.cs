namespace Virtigo;

/// <summary>Why an operation of Virtigo failed; each kind has its own exit code in the command.</summary>
public enum FailureKind
{
    /// <summary>A defect of Virtigo itself.</summary>
    Internal = 1,

    /// <summary>A bad argument, key or value of the user's. Nothing was started.</summary>
    Usage = 2,

    /// <summary>The host lacks something: a tool, disk space, a permission.</summary>
    Host = 3,

    /// <summary>An archive cannot be reached, or lacks a file or package.</summary>
    Archive = 4,

    /// <summary>A signature, hash or date did not verify. Nothing unverified was used.</summary>
    Trust = 5,

    /// <summary>The installer reported a failure.</summary>
    Install = 6,

    /// <summary>The installer waits for an answer nobody gave.</summary>
    Stalled = 7,

    /// <summary>The guest died: panic, out of memory, or its hypervisor ended.</summary>
    Guest = 8,

    /// <summary>The image was installed but did not pass its boot test.</summary>
    BootTest = 9,

    /// <summary>A time limit passed while the guest was still at work.</summary>
    TimedOut = 10,

    /// <summary>A test failed: what it tests is not as it expects.</summary>
    Test = 11,
}

/// <summary>A failure with a cause a person can act on.</summary>
/// <param name="kind">What kind of failure this is.</param>
/// <param name="message">What is wrong, where, and what was expected. One or more sentences.</param>
/// <param name="hint">What to do about it, as a command or an instruction; null when there is nothing sensible to say.</param>
/// <param name="inner">The underlying error.</param>
public sealed class VirtigoException(FailureKind kind, string message, string? hint = null, Exception? inner = null)
    : Exception(message, inner)
{
    /// <summary>What kind of failure this is.</summary>
    public FailureKind Kind { get; } = kind;

    /// <summary>What to do about it, or null.</summary>
    public string? Hint { get; } = hint;

    /// <summary>The folder with everything known about the failure (logs, screen, command to rerun), or null.</summary>
    public string? ReportDirectory { get; init; }

    /// <summary>Whether a guest's system has crashed, which under emulation may be the emulator's doing.</summary>
    internal bool GuestCrashed { get; init; }
}
